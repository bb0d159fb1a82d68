/** Executions of one worker as rows of blocks: pure, without drawing. Places are pixels. */
import type { Ran, Span } from "@/api/executions";
import type { Status } from "@/api/types";

/** As what a block is drawn; what must not be missed comes last, upon the others. */
export const KINDS = ["completed", "running", "retrying", "cancelled", "lost", "failed"] as const;
export type Kind = (typeof KINDS)[number];

/** A worker has so many rows at most; what has no place in them is counted. */
export const MOST_ROWS = 32;
/** Clocks of processes and rounding let one end a little after the next began. */
const TOLERANCE_MS = 20;

export interface Packed {
  /** Each row's executions, in the order of their begins; none overlaps the next. */
  readonly rows: readonly (readonly Ran[])[];
  /** How many have no place: more ran at once than there are rows. */
  readonly unplaced: number;
}

/**
 * Executions in as few rows as ran at once, each in the first row that is free. Which of a worker's processes ran it is
 * not known.
 *
 * @param executions Those of one worker.
 * @param end Where those end that go on.
 * @param least So many rows there are, also if they are empty: the worker's slots.
 */
export function packed(executions: readonly Ran[], end: number, least: number): Packed {
  const rows: Ran[][] = Array.from({ length: Math.min(least, MOST_ROWS) }, () => []);
  const ends: number[] = rows.map(() => -Infinity);
  let unplaced = 0;
  for (const ran of [...executions].sort((one, two) => one.from - two.from)) {
    let row = ends.findIndex((until) => until <= ran.from + TOLERANCE_MS);
    if (row === -1) row = rows.length;
    if (row >= MOST_ROWS) {
      unplaced += 1;
      continue;
    }
    (rows[row] ??= []).push(ran);
    ends[row] = Math.max(ran.to ?? end, ran.from);
  }
  return { rows, unplaced };
}

export interface Block {
  readonly x: number;
  readonly width: number;
  /** It stands for what is shorter than a pixel. */
  readonly isShort: boolean;
  readonly kind: Kind;
  /** The execution; null if these are several, each shorter than a pixel. */
  readonly ran: Ran | null;
  readonly jobs: number;
  /** How many of the jobs are drawn as what. */
  readonly kinds: Partial<Record<Kind, number>>;
  readonly from: number;
  readonly to: number;
}

/**
 * The blocks of a row: one for each execution that is a pixel long or longer. Shorter ones that lie in the same pixel,
 * or side by side and alike, are one block, drawn as most of them are, with a part for those that failed or were lost.
 *
 * @param row Executions that do not overlap, in the order of their begins.
 * @param goneAt When their worker went: what did not end was lost then.
 */
export function blocks(row: readonly Ran[], span: Span, width: number, goneAt: number | null): Block[] {
  const found: Block[] = [];
  const scale = width / (span.to - span.from);
  for (const ran of row) {
    const to = ran.to ?? goneAt ?? span.to;
    if (to < span.from || ran.from > span.to) continue;
    const left = Math.max(0, (ran.from - span.from) * scale);
    const right = Math.min(width, (to - span.from) * scale);
    const kind = kindOf(ran, goneAt !== null);
    const isShort = right - left < 1;
    const x = isShort ? Math.max(0, Math.min(Math.floor(left), Math.floor(width) - 1)) : left;
    const block: Block = {
      ...{ x, width: isShort ? 1 : right - left, isShort, kind },
      ...{ ran, jobs: 1, kinds: { [kind]: 1 }, from: ran.from, to },
    };
    const last = found.at(-1);
    if (last?.isShort && isShort && last.x === x) found[found.length - 1] = together(last, block);
    else found.push(block);
  }
  return sideBySide(found);
}

/** Short ones that lie side by side and are drawn alike as one. */
function sideBySide(row: readonly Block[]): Block[] {
  const found: Block[] = [];
  for (const block of row) {
    const last = found.at(-1);
    if (last?.isShort && block.isShort && isAlike(last, block))
      found[found.length - 1] = { ...together(last, block), width: last.width + block.width };
    else found.push(block);
  }
  return found;
}

function together(one: Block, two: Block): Block {
  const kinds: Block["kinds"] = { ...one.kinds };
  for (const kind of KINDS) {
    const sum = (kinds[kind] ?? 0) + (two.kinds[kind] ?? 0);
    if (sum > 0) kinds[kind] = sum;
  }
  return {
    ...one,
    ran: null,
    jobs: one.jobs + two.jobs,
    kinds,
    kind: KINDS.reduce((most, kind) => ((kinds[kind] ?? 0) > (kinds[most] ?? 0) ? kind : most)),
    to: Math.max(one.to, two.to),
  };
}

/** Those of which a part is drawn, however few they are. */
const BAD: ReadonlySet<Kind> = new Set(["lost", "failed"]);

/** What failed stays in its pixel: where it did is worth to be seen. */
function isAlike(one: Block, two: Block): boolean {
  return one.kind === two.kind && one.x + one.width === two.x && !hasBad(one) && !hasBad(two);
}

function hasBad({ kinds }: Block): boolean {
  return (kinds.lost ?? 0) + (kinds.failed ?? 0) > 0;
}

const OF_STATUS: Readonly<Record<Status, Kind>> = {
  pending: "retrying",
  running: "running",
  retrying: "retrying",
  completed: "completed",
  failed: "failed",
  cancelled: "cancelled",
};

/** As what an execution is drawn. */
export function kindOf({ status, to, inferred }: Ran, isGone: boolean): Kind {
  if (to === null) return isGone ? "lost" : "running";
  if (inferred && status !== "completed" && status !== "cancelled") return "lost";
  return OF_STATUS[status];
}

/** The block at a place of a row, or the nearest one that is not farther away than `reach`; -1 without one. */
export function blockAt(row: readonly Block[], x: number, reach = 3): number {
  let best = -1;
  let distance = reach;
  row.forEach((block, index) => {
    const away = x < block.x ? block.x - x : Math.max(0, x - block.x - block.width);
    if (away < distance || (away === 0 && best === -1)) {
      best = index;
      distance = away;
    }
  });
  return best;
}

/** Rectangles as one path: however many blocks there are, a lane has one element for each kind. What failed of a block
 * that stands for several stands at its foot. */
export function pathOf(
  rows: readonly (readonly Block[])[],
  kind: Kind,
  pitch: number,
  height: number,
): string {
  const tenth = (value: number) => String(Math.round(value * 10) / 10);
  return rows
    .flatMap((row, index) =>
      row.flatMap((block) => {
        const part = partOf(block, kind) * height;
        if (part === 0) return [];
        // Half a pixel between two blocks tells them apart.
        const wide = tenth(Math.max(1, block.ran === null ? block.width : block.width - 0.5));
        return `M${tenth(block.x)} ${tenth(index * pitch + height - part)}h${wide}v${tenth(part)}h-${wide}z`;
      }),
    )
    .join("");
}

/** The least part of a block's height that is seen. */
const LEAST_PART = 0.3;

/** Which part of a block's height is drawn as a kind, from its foot. */
function partOf({ kind: most, kinds, jobs }: Block, kind: Kind): number {
  if (kind === most) return 1;
  const some = BAD.has(kind) ? (kinds[kind] ?? 0) : 0;
  return some === 0 ? 0 : Math.max(LEAST_PART, some / jobs);
}
