// The JSON of the endpoint, as far as the page looks at it. Its sources describe it whole:
// http/src/observe/observe_json.cc, profiler/src/{encode_groups,encode_json,detect/finding_json}.cc.

export interface Place {
  function: string;
  file?: string | null;
  line?: number | null;
}

export interface Observation {
  taken_at_ns: number;
  looks: number;
  first_look_ns: number; // another one after a restart
  goroutines: number;
  states: Record<string, number>;
  waiting: Record<string, number>;
  findings: Record<Certainty, number>;
  duration_ns: number;
  interval_ns: number;
}

export type Certainty = "certain" | "likely" | "suspect";

export interface Finding {
  kind: string;
  certainty: Certainty;
  count: number;
  growth_per_minute: number | null;
  oldest_wait_seconds: number | null;
  created_by: Place | null;
  blocked_at: Place | null;
  object: FindingObject | null;
  cause: string | null;
  fix: string | null;
  evidence: string[];
  stack: (Place | null)[];
  goids: number[];
  site: string;
  wait: string | null;
  peak: number | null;
}

export interface FindingObject {
  kind: string;
  detail: string | null;
  made_at: Place | null;
  count: number | null;
  owner: number | null;
  method: string | null;
  url: string | null;
  places: { what: string; at: Place | null }[];
}

export interface Findings {
  taken_at: string | null;
  goroutines: number;
  notes: string[];
  findings: Finding[];
}

/** [at_ns, least, most, last], each of the time since the one before. */
export type Point = [number, number, number, number];

export interface TrendLine {
  site: string;
  wait: string;
  created_by?: Place;
  blocked_at?: Place;
  count: number;
  peak: number;
  growth_per_minute: number;
  points: Point[];
}

export interface Trend {
  taken_at_ns: number;
  sites: number;
  total: Point[];
  series: TrendLine[];
}

export interface GroupsJson {
  schema: string;
  taken_at_ns: number;
  total: number;
  left_out?: number;
  process: string;
  pid: number;
  source: string;
  truncated?: boolean;
  frames: Place[];
  stacks: number[][];
  groups: GroupJson[];
}

export interface GroupJson {
  id: string;
  site: string;
  stack: number;
  state: string;
  wait?: string;
  object_kind?: string;
  created_by?: number;
  blocked_at?: number;
  thread?: boolean;
  locked?: boolean;
  leaked?: boolean;
  labels?: [string, string][];
  count: number;
  wait_ns?: number;
  oldest_ns?: number;
}

/** weir.snapshot/1: tables that refer to each other by index. */
export interface SnapshotJson {
  schema: string;
  taken_at_ns: number;
  total: number;
  left_out?: number;
  process: string;
  pid: number;
  source: string;
  strings: string[];
  frames: (Place & { runtime: boolean })[];
  locations: { address: string; frames: number[] }[];
  stacks: { locations: number[]; truncated: boolean }[];
  objects: ObjectJson[];
  groups: SnapshotGroup[];
}

export interface SnapshotGroup {
  stack: number;
  state: string;
  wait_reason: string;
  object_kind: string;
  created_by: number | null;
  thread: boolean;
  locked?: boolean;
  leaked?: boolean;
  labels: [string, string][];
  count: number;
  wait_ns?: number;
  oldest_ns?: number;
  members: MemberJson[];
}

export interface MemberJson {
  goid: number;
  parent_goid: number;
  since_ns: number;
  name?: number;
  first_object?: number;
  object_count?: number;
  objects_total?: number;
  stack_bytes?: number;
  cpu_ns?: number;
}

export interface ObjectJson {
  kind: string;
  address: string;
  made_at?: number;
  send?: boolean;
  closed?: boolean;
  cap?: number;
  len?: number;
  sends?: number;
  recvs?: number;
  handles?: number;
  owner_goid?: number;
  owner_alive?: boolean;
  readers?: number;
  locked_at?: number;
  rlocked_at?: number;
  counter?: number;
  adds?: number;
  dones?: number;
  added_at?: number;
  done_at?: number;
  waiters?: number;
  signals?: number;
  signalled_at?: number;
  timer?: boolean;
  armed?: boolean;
  fd?: number;
  network?: string;
  local?: string;
  remote?: string;
  direction?: string;
  method?: string;
  url?: string;
  status?: number;
}

export interface KeptSnapshot {
  id: number;
  taken_at_ns: number;
  goroutines: number;
  asked: boolean;
  has_ids: boolean;
}

export interface SchedJson {
  taken_at_ns: number;
  goroutines: {
    total: number;
    created: number;
    states: Record<string, number>;
    waiting: Record<string, number>;
    plain_threads: number;
  };
  procs: {
    gomaxprocs: number;
    idle: number;
    global_queue: number;
    local_queues: number;
    each: { idle: boolean; syscall: boolean; queue: number; ticks: number; free_stacks: number }[];
  };
  threads: { total: number; idle: number; spinning: number; started: number };
  blocking: { now: number; waiting: number; total: number };
  totals: Record<string, number>;
  latency: {
    one_in: number;
    count: number;
    sum_ns: number;
    p50_ns: number | null;
    p90_ns: number | null;
    p99_ns: number | null;
    buckets: { below_ns: number | null; count: number }[];
  };
  stacks: Record<string, number>;
  contexts: Record<string, number>;
}
