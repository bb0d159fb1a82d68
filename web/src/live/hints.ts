/**
 * Hints say that something has changed; the data itself comes by REST. Where they come from is the business of a
 * source: today a clock (polling.ts). A stream of events is another source with the same two functions.
 */

/** `jobs`: these jobs, or many of them. `clock`: time for what no stream tells of: queues, workers, health. */
export type Hint =
  { readonly kind: "jobs"; readonly ids: readonly string[] | "many" } | { readonly kind: "clock" };

type Listener = (hint: Hint) => void;
const listeners = new Set<Listener>();

export function onHint(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function hint(of: Hint): void {
  for (const listener of listeners) listener(of);
}

/** Whether a hint concerns somebody who shows one job, or, without an id, any number of them. */
export function concerns(of: Hint, kind: Hint["kind"], job?: string): boolean {
  if (of.kind !== kind) return false;
  return of.kind === "clock" || of.ids === "many" || job === undefined || of.ids.includes(job);
}
