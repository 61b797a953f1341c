// Who is shown: of a look at all groups those that the filter is for. A query is answered by the
// endpoint, so that it means the same everywhere; one that is a plain text is shown here at once, until
// that answer has come.
import { isAbort } from "../api/client";
import { choose, type Filter, type Group, type Groups, isText } from "../model/groups";
import type { GroupsStore } from "./groups_store";

const kTypingPause = 200; // ms: each letter would cost the process a capture

export class Chosen {
  all: Groups | null = null;
  private found: { q: string; groups: Groups } | null = null;
  private filter: Filter | null = null;
  private isUnderWay = false; // something is asked for, or will be
  private timer: ReturnType<typeof setTimeout> | undefined;
  private abort = new AbortController();

  constructor(
    private readonly store: GroupsStore,
    private readonly draw: () => void,
    private readonly fail: (e: unknown) => void,
  ) {}

  /** Draws what is known, and asks for what is not. */
  show(f: Filter): void {
    const isSameQuery = this.filter?.q === f.q;
    this.filter = f;
    if (this.all) this.draw();
    if (isSameQuery && this.isUnderWay) return; // what comes will do for this, too
    this.cancel();
    if (!this.all) return void this.load(false);
    if (this.isWhole(f)) return;
    this.isUnderWay = true;
    this.timer = setTimeout(() => void this.load(false), kTypingPause);
  }

  async load(anew: boolean): Promise<void> {
    this.cancel();
    this.isUnderWay = true;
    this.abort = new AbortController();
    const { signal } = this.abort;
    try {
      if (!this.all || anew) {
        this.all = await this.store.load(anew, signal);
        this.draw();
      }
      const q = this.filter?.q ?? "";
      if (q !== "" && (anew || this.found?.q !== q)) {
        this.found = { q, groups: await this.store.load(anew, signal, q) };
        this.draw();
      }
      if (!signal.aborted) this.isUnderWay = false;
    } catch (e) {
      if (isAbort(e)) return; // by who has asked for something else since
      this.isUnderWay = false;
      this.fail(e);
    }
  }

  cancel(): void {
    this.isUnderWay = false;
    clearTimeout(this.timer);
    this.abort.abort(new DOMException("not wanted any more", "AbortError"));
  }

  /** Whether the groups are those that the endpoint means by the query. */
  isWhole(f: Filter): boolean {
    return f.q === "" || this.found?.q === f.q;
  }

  /** Null: not known yet. */
  groups(f: Filter): Group[] | null {
    if (!this.all) return null;
    if (f.q !== "" && this.found?.q === f.q) return choose(this.found.groups.groups, { ...f, q: "" });
    // A text may also be a name of a goroutine, which is not known here.
    return isText(f.q) ? choose(this.all.groups, f) : null;
  }
}
