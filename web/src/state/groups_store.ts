// The looks at groups that were taken last: of all, and of those that a query finds. Views that show
// the same goroutines share them, since each costs the process a capture.
import type { Client } from "../api/client";
import type { GroupsJson } from "../api/types";
import { decodeGroups, type Groups } from "../model/groups";

const kFreshMs = 5000;

export class GroupsStore {
  private readonly kept = new Map<string, Groups>(); // by query; "": all

  constructor(private readonly client: Client) {}

  async load(anew: boolean, signal: AbortSignal, q = ""): Promise<Groups> {
    const known = this.kept.get(q);
    if (!anew && known && Date.now() - known.seenAt < kFreshMs) return known;
    const groups = decodeGroups(await this.client.json<GroupsJson>("goroutine", { format: "groups", q }, signal));
    for (const other of this.kept.keys()) if (other !== "" && q !== "") this.kept.delete(other);
    this.kept.set(q, groups);
    return groups;
  }

  /** What is known is of another process. */
  clear(): void {
    this.kept.clear();
  }
}
