// Server-sent events by fetch: EventSource could not send a token.

export interface ServerEvent {
  id: string;
  type: string;
  data: string;
}

const kMostPending = 4 << 20; // characters of an event that has no end

/** Takes the stream apart (HTML standard, 9.2.6), as far as events, ids and data go. */
export class EventParser {
  private pending = "";
  private searched = 0; // characters of it that hold no end of a line
  private type = "";
  private data: string[] = [];
  private id = "";

  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    this.pending += piece;
    if (this.pending.length > kMostPending) throw new Error("an event without end");
    let from = 0;
    for (;;) {
      const end = this.pending.indexOf("\n", Math.max(from, this.searched));
      if (end < 0) break;
      const line = this.pending.slice(from, this.pending[end - 1] === "\r" && end > from ? end - 1 : end);
      from = end + 1;
      this.searched = 0;
      if (line === "") {
        if (this.data.length > 0) {
          events.push({ id: this.id, type: this.type || "message", data: this.data.join("\n") });
        }
        this.type = "";
        this.data = [];
        continue;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
      if (name === "event") this.type = value;
      else if (name === "data") this.data.push(value);
      else if (name === "id") this.id = value;
    }
    this.pending = this.pending.slice(from);
    this.searched = this.pending.length;
    return events;
  }
}

/** Reads to the end of the stream, which is a failure of it or of the network. */
export async function follow(
  body: ReadableStream<Uint8Array>,
  take: (event: ServerEvent) => void,
): Promise<void> {
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of parser.push(decoder.decode(value, { stream: true }))) take(event);
  }
}
