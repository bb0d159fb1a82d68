/**
 * Hints say that something has changed; the data itself comes by REST. They come from the stream of events (stream.ts)
 * or, where there is none, from the clock (polling.ts).
 */
/** What a hint says of one job: its record says how it is now. */
export interface JobChange {
  readonly id: string;
  /** `created`, `status`, `progress`, `changed`, `log`, `deleted`; later releases may have more. */
  readonly what: readonly string[];
  readonly status: string;
  /** The status that it has left, if that is what changed. */
  readonly before?: string;
}

/**
 * `jobs`: these jobs, or many of them. `clock`: time for what no stream tells of: queues, workers, health; `beat` counts
 * the regular ones.
 */
export type Hint =
  | { readonly kind: "jobs"; readonly jobs: readonly JobChange[] | "many"; readonly restMs?: number }
  | { readonly kind: "clock"; readonly beat?: number };

type Listener = (hint: Hint) => void;
const listeners = new Set<Listener>();

export function onHint(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

let toldAt = Number.NEGATIVE_INFINITY;

/** When jobs were last said to have changed: an answer that was asked for before may lack that. */
export function jobsChangedAt(): number {
  return toldAt;
}

let restMs = 0;

/** How long the API wants a page to wait between two reads of a list: the more viewers, the longer. */
export function wantedRestMs(): number {
  return restMs;
}

export function hint(of: Hint): void {
  if (of.kind === "jobs") {
    toldAt = Date.now();
    restMs = of.restMs ?? restMs;
  }
  for (const listener of listeners) listener(of);
}

/** Everything may have changed: after a pause, or when hints were missed. */
export function hintAll(): void {
  hint({ kind: "jobs", jobs: "many" });
  hint({ kind: "clock" });
}

/** The id of a job, or whether one with that id is among some. */
export type Jobs = string | ((id: string) => boolean);

/** Whether a hint concerns somebody who shows these jobs, or, without them, any number of jobs. */
export function concerns(of: Hint, kind: Hint["kind"], jobs?: Jobs): boolean {
  if (of.kind !== kind) return false;
  if (of.kind === "clock" || of.jobs === "many" || jobs === undefined) return true;
  return of.jobs.some(({ id }) => (typeof jobs === "string" ? id === jobs : jobs(id)));
}
