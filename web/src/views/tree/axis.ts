/** The part of the time axis that is shown: it zooms and is moved, and never leaves what there is. */

export interface Axis {
  readonly from: number;
  readonly to: number;
}

/** The least that is shown, in milliseconds. */
const LEAST_MS = 5;

/** What a URL says of the axis (`from-to`, counted from the begin of the tree); null: all of it. */
export function axisOf(text: string | undefined, whole: Axis): Axis | null {
  const [, from, to] = /^(\d{1,15})-(\d{1,15})$/.exec(text ?? "") ?? [];
  if (from === undefined || to === undefined || Number(to) <= Number(from)) return null;
  return { from: whole.from + Number(from), to: whole.from + Number(to) };
}

export function printAxis(axis: Axis | null, whole: Axis): string | undefined {
  if (axis === null) return undefined;
  return `${Math.round(axis.from - whole.from)}-${Math.round(axis.to - whole.from)}`;
}

/** Closer (factor below 1) or wider, around a time that stays where it is; null: all of it. */
export function zoomed(axis: Axis, factor: number, around: number, whole: Axis): Axis | null {
  const span = Math.max(LEAST_MS, (axis.to - axis.from) * factor);
  if (span >= whole.to - whole.from) return null;
  const share = (around - axis.from) / (axis.to - axis.from);
  return kept({ from: around - span * share, to: around + span * (1 - share) }, whole);
}

/** Moved by a share of what is shown. */
export function moved(axis: Axis, share: number, whole: Axis): Axis {
  const by = (axis.to - axis.from) * share;
  return kept({ from: axis.from + by, to: axis.to + by }, whole);
}

function kept(axis: Axis, whole: Axis): Axis {
  const span = axis.to - axis.from;
  const from = Math.max(whole.from, Math.min(axis.from, whole.to - span));
  return { from, to: from + span };
}
