// What the process tells by itself: each look at its goroutines, and its findings. One stream for
// all views, taken up again when it breaks off; everything that is kept is bounded.
import { ApiError, type Client, isAbort } from "../api/client";
import { follow, type ServerEvent } from "../api/events";
import type { Findings, Observation, Trend } from "../api/types";
import { append, type Row, rowOf, rowsOfTrend } from "../model/series";

export type Status =
  | { is: "connecting" }
  | { is: "live" }
  | { is: "lost"; why: string }
  | { is: "busy"; why: string } // others watch already, as many as may
  | { is: "unauthorized" }
  | { is: "absent"; why: string }; // nobody looks over time there

const kFirstPause = 1000;
const kLongestPause = 15_000;
const kAbsentPause = 30_000;
const kFindingsPause = 3000; // between two looks at the findings
const kSeriesEvery = 20_000;
const kMostSeries = 200;
const kMostPoints = 120; // of a sparkline

export class Live extends EventTarget {
  status: Status = { is: "connecting" };
  observation: Observation | null = null;
  restartedAt = 0; // ms: since when another process answers
  seenAt = 0; // by the clock here, ms: of the last observation
  findings: Findings | null = null;
  readonly rows: Row[] = [];
  readonly series = new Map<string, number[]>(); // counts over time, by site
  private readonly growth_ = new Map<string, number>();
  private abort = new AbortController();
  private findingsAt = 0;
  private findingsTimer: ReturnType<typeof setTimeout> | undefined;
  private seriesAt = 0;

  constructor(private readonly client: Client) {
    super();
    // A browser has few connections to one host: who is not looked at needs none.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.abort.abort(new DOMException("hidden", "AbortError"));
      else if (this.abort.signal.aborted) this.start();
    });
  }

  /** Goroutines a minute, by site; undefined where nothing is known of it. */
  growth(site: string): number | undefined {
    return this.growth_.get(site);
  }

  /** For ever; a stream that is there already is given up. */
  start(): void {
    this.abort.abort();
    this.abort = new AbortController();
    void this.run(this.abort.signal);
  }

  private async run(signal: AbortSignal): Promise<void> {
    let pause = kFirstPause;
    while (!signal.aborted) {
      try {
        this.become({ is: "connecting" });
        await this.catchUp(signal);
        const response = await this.client.ask("events", {}, { signal });
        if (!response.body) throw new ApiError("broken", "no stream");
        this.become({ is: "live" });
        pause = kFirstPause;
        await follow(response.body, (e) => this.take(e, signal));
        throw new ApiError("offline", "the stream has ended");
      } catch (e) {
        if (signal.aborted || isAbort(e)) return;
        if (e instanceof ApiError && e.trouble === "unauthorized") {
          this.become({ is: "unauthorized" });
          return; // until there is a token
        }
        const why = e instanceof Error ? e.message : String(e);
        const trouble = e instanceof ApiError ? e.trouble : "broken";
        this.become(trouble === "missing" ? { is: "absent", why } : { is: trouble === "busy" ? "busy" : "lost", why });
        await new Promise((resolve) => setTimeout(resolve, trouble === "missing" ? kAbsentPause : pause));
        pause = Math.min(pause * 2, kLongestPause);
      }
    }
  }

  private async catchUp(signal: AbortSignal): Promise<void> {
    const trend = await this.client.json<Trend>("trend", { limit: kMostSeries }, signal);
    const rows = rowsOfTrend(trend);
    if (rows.length > 0) this.rows.splice(0, this.rows.length, ...rows);
    this.learn(trend);
    await this.readFindings(signal);
  }

  private learn(trend: Trend): void {
    this.seriesAt = Date.now();
    this.series.clear();
    this.growth_.clear();
    for (const line of trend.series) {
      this.series.set(line.site, line.points.slice(-kMostPoints).map((p) => p[3]));
      this.growth_.set(line.site, line.growth_per_minute);
    }
    this.dispatchEvent(new Event("series"));
  }

  private async readFindings(signal: AbortSignal): Promise<void> {
    this.findingsAt = Date.now();
    this.findings = await this.client.json<Findings>("leaks", { format: "json" }, signal);
    for (const f of this.findings.findings) {
      const values = this.series.get(f.site) ?? [];
      values.push(f.count);
      this.series.set(f.site, values.slice(-kMostPoints));
    }
    this.dispatchEvent(new Event("findings"));
  }

  private take(e: ServerEvent, signal: AbortSignal): void {
    if (e.type === "observation") {
      const o = JSON.parse(e.data) as Observation;
      if (this.observation && o.first_look_ns !== this.observation.first_look_ns) this.restarted();
      this.observation = o;
      this.seenAt = Date.now();
      append(this.rows, rowOf(o));
      this.dispatchEvent(new Event("observation"));
      if (Date.now() - this.seriesAt > kSeriesEvery && !document.hidden) void this.again(signal);
    } else if (e.type === "findings") {
      this.findingsSoon(signal);
    } else if (e.type === "snapshot") {
      this.dispatchEvent(new Event("snapshot"));
    }
  }

  /** Another process answers where the one was: nothing of that is true any more. */
  private restarted(): void {
    this.rows.length = 0;
    this.findings = null;
    this.restartedAt = Date.now();
    this.dispatchEvent(new Event("restart"));
    this.start();
  }

  private findingsSoon(signal: AbortSignal): void {
    if (this.findingsTimer !== undefined) return;
    const wait = Math.max(0, this.findingsAt + kFindingsPause - Date.now());
    this.findingsTimer = setTimeout(() => {
      this.findingsTimer = undefined;
      // What fails here fails for the stream, too, which tells it.
      if (!signal.aborted) this.readFindings(signal).catch(() => {});
    }, wait);
  }

  private async again(signal: AbortSignal): Promise<void> {
    this.seriesAt = Date.now();
    try {
      this.learn(await this.client.json<Trend>("trend", { limit: kMostSeries }, signal));
    } catch {
      // The next time.
    }
  }

  private become(status: Status): void {
    if (status.is === "connecting" && ["lost", "busy", "absent"].includes(this.status.is)) return; // until it is not
    this.status = status;
    this.dispatchEvent(new Event("status"));
  }
}
