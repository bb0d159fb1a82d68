/** One stream for all tabs of a browser: it is open while one of them is looked at. */
import { type Pace, Stream, type Told } from "./stream";

/** A tab, as the relay sees it. */
export interface Listener {
  readonly postMessage: (told: Told) => void;
}

/** What a tab says. `gone`: it is closed. `out`: nobody is logged in; who logs in next gets a stream of their own. */
export interface Said {
  /** Where the events are. */
  readonly url: string;
  readonly state: "visible" | "hidden" | "gone" | "out";
}

/** From one tab to another the stream stays open. */
const GRACE_MS = 3000;

export class Relay {
  readonly #visible = new Set<Listener>();
  readonly #graceMs: number;
  readonly #pace: Pace | undefined;
  #stream: Stream | null = null;
  #source: Told | null = null;
  #closing: ReturnType<typeof setTimeout> | undefined;

  constructor(graceMs = GRACE_MS, pace?: Pace) {
    this.#graceMs = graceMs;
    this.#pace = pace;
  }

  /** A tab says how it is. Tabs that nobody looks at are told nothing: they ask when they are looked at again. */
  hear(listener: Listener, { url, state }: Said): void {
    clearTimeout(this.#closing);
    if (state === "visible") {
      this.#visible.add(listener);
      this.#stream ??= new Stream(
        url,
        (told) => {
          this.#tell(told);
        },
        this.#pace,
      );
      if (this.#stream.isOpen && this.#source) listener.postMessage(this.#source);
      this.#stream.open();
    } else {
      this.#visible.delete(listener);
    }
    if (state === "out") this.#stream?.close();
    if (this.#visible.size === 0) this.#closing = setTimeout(() => this.#stream?.close(), this.#graceMs);
  }

  #tell(told: Told): void {
    if (told.kind === "source") this.#source = told;
    for (const listener of this.#visible) listener.postMessage(told);
  }
}
