/** Writes of this page whose change has not been seen yet: they are shown as pending until the record says so. */
import { useSyncExternalStore } from "react";
import type { JobSummary } from "@/api/types";
import type { Verb } from "./bulk";

/** `deleted`: the API has said so; no record will. */
type Mark = Verb | "deleted";
type Marks = ReadonlyMap<string, { readonly verb: Mark; readonly version: string }>;

let marks: Marks = new Map();
const listeners = new Set<() => void>();

function change(next: Marks): void {
  marks = next;
  for (const listener of listeners) listener();
}

/** What of a record a write changes. */
function versionOf(job: JobSummary): string {
  return [job.status, job.status_changed_at, job.cancel_requested_at ?? "", job.run].join(" ");
}

export function markPending(job: JobSummary, verb: Mark): void {
  change(new Map(marks).set(job.id, { verb, version: versionOf(job) }));
}

/** It was refused: nothing will change. */
export function forget(id: string): void {
  const next = new Map(marks);
  if (next.delete(id)) change(next);
}

/** What is being done to a job; null once its record has changed. */
export function usePending(job: JobSummary): Mark | null {
  const mark = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => marks.get(job.id),
  );
  return mark?.version === versionOf(job) ? mark.verb : null;
}
