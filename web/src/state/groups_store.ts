// The groups that were looked at last: views that show the same goroutines share one look, which
// costs the process a capture.
import type { Client } from "../api/client";
import type { GroupsJson } from "../api/types";
import { decodeGroups, type Groups } from "../model/groups";

const kFreshMs = 5000;

export class GroupsStore {
  private latest: Groups | null = null;
  private at = 0;

  constructor(private readonly client: Client) {}

  async load(anew: boolean, signal: AbortSignal): Promise<Groups> {
    if (!anew && this.latest && Date.now() - this.at < kFreshMs) return this.latest;
    const j = await this.client.json<GroupsJson>("goroutine", { format: "groups" }, signal);
    this.latest = decodeGroups(j);
    this.at = Date.now();
    return this.latest;
  }
}
