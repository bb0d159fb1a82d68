/** A lane for each worker: those that live or went within a day, and those that only executions name. */
import type { WorkerFigures } from "@/api/fleet";
import type { Executions, Ran } from "@/api/executions";
import { type Block, blocks, MOST_ROWS, packed } from "./packing";

/** So many lanes are drawn at most; the table below has all workers. */
export const MOST_LANES = 60;
/** Slots that are drawn although nothing ran in them. */
const MOST_IDLE_ROWS = 8;

export interface LaneRow {
  readonly name: string;
  /** Null: only executions name it. */
  readonly figures: WorkerFigures | null;
  readonly ran: readonly Ran[];
}

/** The lanes by name, those of workers that nothing but executions is known of last. */
export function laneRows(workers: readonly WorkerFigures[], executions: readonly Ran[]): LaneRow[] {
  const byWorker = new Map<string, Ran[]>();
  for (const ran of executions) {
    const of = byWorker.get(ran.worker);
    if (of) of.push(ran);
    else byWorker.set(ran.worker, [ran]);
  }
  // A worker that was started again is one lane: its last start says how it is.
  const known = new Map<string, WorkerFigures>();
  for (const figures of workers) {
    const other = known.get(figures.name);
    if (other === undefined || isLater(figures, other)) known.set(figures.name, figures);
  }
  const named = [...known.values()]
    .sort((one, two) => one.name.localeCompare(two.name))
    .map((figures): LaneRow => ({ name: figures.name, figures, ran: byWorker.get(figures.name) ?? [] }));
  const others = [...byWorker.keys()]
    .filter((name) => !known.has(name))
    .sort((one, two) => one.localeCompare(two))
    .map((name): LaneRow => ({ name, figures: null, ran: byWorker.get(name) ?? [] }));
  return [...named, ...others];
}

function isLater(one: WorkerFigures, two: WorkerFigures): boolean {
  return Date.parse(one.started_at ?? "0") > Date.parse(two.started_at ?? "0");
}

export interface Drawing {
  readonly rows: readonly (readonly Block[])[];
  readonly unplaced: number;
  /** Jobs that have a block of their own, and those that share one. */
  readonly single: number;
  readonly merged: number;
}

/** What a lane draws on so many pixels. */
export function drawingOf({ figures, ran }: LaneRow, span: Executions, width: number): Drawing {
  const slots = Math.min(figures?.concurrency ?? 1, MOST_ROWS, MOST_IDLE_ROWS);
  const goneAt = figures?.ended_at == null ? null : Date.parse(figures.ended_at);
  const { rows, unplaced } = packed(ran, goneAt ?? span.to, Math.max(1, slots));
  const drawn = width < 1 ? [] : rows.map((row) => blocks(row, span, width, goneAt));
  const jobs = (one: boolean) =>
    drawn.flat().reduce((sum, block) => ((block.ran !== null) === one ? sum + block.jobs : sum), 0);
  return { rows: drawn, unplaced, single: jobs(true), merged: jobs(false) };
}

/** How high a row is, with what is between two; and its blocks. */
export function heightsOf(rows: number): { pitch: number; block: number } {
  if (rows <= 12) return { pitch: 7, block: 6 };
  return rows <= 20 ? { pitch: 5, block: 4 } : { pitch: 4, block: 3 };
}
