/** The stream of events of the API: it is opened again when it breaks, and goes on where it was. */
import type { JobChange } from "./hints";
import { SseParser, type ServerSentEvent } from "./sse";

/** What a stream tells. `stream`: it is there. `broken`: look whether the API is. `poll`: do without it for now. */
export type Told =
  | {
      readonly kind: "jobs";
      readonly jobs: readonly JobChange[] | "many";
      readonly id: string;
      readonly restMs?: number;
    }
  | { readonly kind: "source"; readonly source: "stream" | "broken" | "poll" }
  /** Nobody is logged in. The stream is closed until it is opened anew. */
  | { readonly kind: "out"; readonly why: string };

export interface Pace {
  /**
   * Milliseconds before each try after a failure, give or take a half, so that not all browsers come at once; the last
   * one is for all that follow.
   */
  readonly retryMs: readonly number[];
  /** So many failures one after the other, and the page polls. */
  readonly failures: number;
  /** The API says every 5 s that it lives: silence for so long is a failure. */
  readonly silenceMs: number;
  /** A stream that ends sooner has failed, too. */
  readonly steadyMs: number;
}

const PACE: Pace = { retryMs: [300, 1000, 2000, 5000], failures: 3, silenceMs: 15_000, steadyMs: 5000 };

export class Stream {
  readonly #url: string;
  readonly #tell: (told: Told) => void;
  readonly #pace: Pace;
  #opened: AbortController | null = null;
  #lastId = "";

  constructor(url: string, tell: (told: Told) => void, pace: Pace = PACE) {
    this.#url = url;
    this.#tell = tell;
    this.#pace = pace;
  }

  get isOpen(): boolean {
    return this.#opened !== null;
  }

  open(): void {
    if (this.#opened) return;
    this.#opened = new AbortController();
    void this.#keep(this.#opened.signal);
  }

  /** It goes on from here when it is opened again. */
  close(): void {
    this.#opened?.abort();
    this.#opened = null;
  }

  async #keep(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      const begun = Date.now();
      const wasThere = await this.#follow(signal);
      if (signal.aborted) return;
      failures = wasThere && Date.now() - begun >= this.#pace.steadyMs ? 0 : failures + 1;
      this.#tell({ kind: "source", source: failures >= this.#pace.failures ? "poll" : "broken" });
      const waits = this.#pace.retryMs;
      const wait = waits[Math.min(failures, waits.length - 1)] ?? 0;
      await sleep(wait * (0.5 + Math.random()), signal);
    }
  }

  /** One connection, until it ends. Returns whether it was a stream. */
  async #follow(closed: AbortSignal): Promise<boolean> {
    const silence = new AbortController();
    const signal = AbortSignal.any([closed, silence.signal]);
    let timer = 0 as unknown as ReturnType<typeof setTimeout>;
    const heard = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        silence.abort();
      }, this.#pace.silenceMs);
    };
    let wasThere = false;
    try {
      heard();
      const headers: Record<string, string> = this.#lastId === "" ? {} : { "Last-Event-ID": this.#lastId };
      const response = await fetch(this.#url, { headers, cache: "no-store", signal });
      // It does not take this id, for example because another store is there now: begin anew.
      if (response.status >= 400 && response.status < 500) this.#lastId = "";
      if (response.status === 401 || response.status === 403) await this.#refused(response, closed);
      if (!response.ok || !response.body) return false;
      const parser = new SseParser();
      parser.lastId = this.#lastId;
      const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await text.read();
        if (done) return wasThere;
        heard();
        for (const event of parser.push(value)) wasThere = this.#take(event) || wasThere;
        this.#lastId = parser.lastId;
      }
    } catch {
      return wasThere; // it broke off; why makes no difference
    } finally {
      clearTimeout(timer);
    }
  }

  /** It would be refused again: 401 until somebody logs in, 403 for as long as they are who they are. */
  async #refused(response: Response, closed: AbortSignal): Promise<void> {
    const problem = (await response.json().catch(() => ({}))) as { detail?: string };
    if (closed.aborted) return;
    this.close();
    if (response.status === 401) this.#tell({ kind: "out", why: problem.detail ?? "" });
    else this.#tell({ kind: "source", source: "poll" });
  }

  #take({ id, event, data }: ServerSentEvent): boolean {
    const found = JSON.parse(data) as {
      resumed?: boolean;
      jobs?: JobChange[];
      many?: number | null;
      rest_ms?: number;
    };
    if (event === "jobs") {
      const jobs = found.many == null ? (found.jobs ?? []) : "many";
      this.#tell({ kind: "jobs", jobs, id, restMs: found.rest_ms ?? 0 });
    }
    // Redis is away: the API's other answers say so.
    else if (event === "away") this.#tell({ kind: "source", source: "broken" });
    else if (event === "ready" || event === "reset") {
      this.#tell({ kind: "source", source: "stream" });
      if (found.resumed !== true) this.#tell({ kind: "jobs", jobs: "many", id });
    }
    return event !== "away";
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
