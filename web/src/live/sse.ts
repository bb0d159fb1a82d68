/** Server-sent events as they come over the wire, in chunks that end anywhere. */

export interface ServerSentEvent {
  /** Its id, or the one before it. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/**
 * Takes text as it arrives and gives the events that are whole.
 *
 * The browser's own EventSource tells neither the ids of comments, from which a stream goes on, nor that a comment has
 * come, by which one knows that the stream lives.
 */
export class SseParser {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id: string | null = null;

  /** The id after which the stream goes on; empty before the first. */
  lastId = "";

  push(chunk: string): ServerSentEvent[] {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#take(line.replace(/\r$/, "")) ?? []);
  }

  #take(line: string): ServerSentEvent | null {
    if (line === "") return this.#end();
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id") this.#id = value;
    return null;
  }

  #end(): ServerSentEvent | null {
    const event = this.#event || "message";
    const data = this.#data;
    this.lastId = this.#id ?? this.lastId;
    this.#event = "";
    this.#data = [];
    this.#id = null;
    return data.length === 0 ? null : { id: this.lastId, event, data: data.join("\n") };
  }
}
