/** Executions of a span of time: pure, without asking for them. */
import type { Schemas, Status } from "./types";

/** An execution: the one that counts of its job. */
export interface Ran {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** Of the job now. */
  readonly status: Status;
  readonly worker: string;
  readonly from: number;
  /** Null: it goes on. */
  readonly to: number | null;
  /** Its end was inferred, from the loss of its worker for example. */
  readonly inferred: boolean;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Executions extends Span {
  readonly rows: readonly Ran[];
  /** What was not read, for there is too much; null: all was. */
  readonly unread: Span | null;
}

/** A span is read in so many parts, newest first: what is looked at first is there first. */
const PARTS = 6;

export function rowsOf(page: Schemas["Timeline"]): Ran[] {
  return page.job_id.map((id, index) => ({
    id,
    name: page.name[index] ?? "",
    type: page.job_type[index] ?? "",
    status: page.status[index] ?? "pending",
    worker: page.worker[index] ?? "",
    from: page.started_at_ms[index] ?? 0,
    to: page.finished_at_ms[index] ?? null,
    inferred: page.inferred[index] ?? false,
  }));
}

/**
 * What was known, with what was read since: a job has one execution here, the later one. What goes on and was not read
 * again does not go on.
 */
export function updated(known: Executions, fresh: readonly Ran[], span: Span): Executions {
  const ids = new Set(fresh.map(({ id }) => id));
  const kept = known.rows.filter(({ id, to }) => to !== null && to >= span.from && !ids.has(id));
  const unread = known.unread !== null && known.unread.to > span.from ? known.unread : null;
  return { ...span, rows: [...kept, ...fresh], unread };
}

/** Executions known and read of an earlier part, each job once: what was read first is newer. */
export function joined(known: readonly Ran[], earlier: readonly Ran[]): Ran[] {
  const ids = new Set(known.map(({ id }) => id));
  return [...known, ...earlier.filter(({ id }) => !ids.has(id))];
}

/** The parts of a span, the last one first. */
export function parts({ from, to }: Span, count = PARTS): Span[] {
  const step = (to - from) / count;
  return Array.from({ length: count }, (_, index) => ({
    from: Math.round(to - (index + 1) * step),
    to: Math.round(to - index * step),
  }));
}

/** Answers of a span come by their ends: what ended later was not read. */
export function afterLast(rows: readonly Ran[], span: Span): Span {
  return { from: rows.reduce((last, { to }) => Math.max(last, to ?? 0), span.from), to: span.to };
}
