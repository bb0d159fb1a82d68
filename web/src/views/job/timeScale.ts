/** A time axis on which long pauses are squeezed: what ran for seconds stays visible beside a wait of an hour. */

export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Pause extends Span {
  /** Where it is on the axis, 0 to 1. */
  readonly start: number;
  readonly end: number;
}

export interface TimeScale {
  /** Where a time is on the axis, 0 to 1. */
  readonly x: (time: number) => number;
  /** What was squeezed. */
  readonly pauses: readonly Pause[];
  readonly from: number;
  readonly to: number;
}

/** A pause is squeezed to this share of all that ran, if it is longer than twice that. */
const PAUSE_SHARE = 0.4;

/**
 * The axis of some executions.
 *
 * @param spans When something ran. What lies between is pause.
 * @param from The axis's begin, in milliseconds.
 * @param to Its end.
 */
export function timeScale(spans: readonly Span[], from: number, to: number): TimeScale {
  const end = Math.max(to, from + 1);
  const busy = merged(spans, from, end);
  const busyMs = busy.reduce((sum, span) => sum + span.to - span.from, 0);
  const cap = busyMs * PAUSE_SHARE;
  const points: { time: number; at: number }[] = [{ time: from, at: 0 }];
  const squeezed: Span[] = [];
  let at = 0;
  let time = from;
  const go = (until: number, width: number) => {
    if (until <= time) return;
    at += width;
    time = until;
    points.push({ time, at });
  };
  for (const span of [...busy, { from: end, to: end }]) {
    const pause = span.from - time;
    if (cap > 0 && pause > 2 * cap) {
      squeezed.push({ from: time, to: span.from });
      go(span.from, cap);
    } else go(span.from, pause);
    go(span.to, span.to - span.from);
  }
  const whole = at || 1;
  const x = (moment: number): number => {
    const next = points.findIndex((point) => point.time >= moment);
    const right = points[next];
    const left = points[next - 1];
    if (next === 0 || points.length === 1) return 0;
    if (right === undefined || left === undefined) return 1;
    return (left.at + ((moment - left.time) / (right.time - left.time)) * (right.at - left.at)) / whole;
  };
  return {
    x,
    from,
    to: end,
    pauses: squeezed.map((pause) => ({ ...pause, start: x(pause.from), end: x(pause.to) })),
  };
}

function merged(spans: readonly Span[], from: number, to: number): Span[] {
  const sorted = spans
    .map((span) => ({ from: Math.max(from, span.from), to: Math.min(to, span.to) }))
    .filter((span) => span.to > span.from)
    .sort((a, b) => a.from - b.from);
  const found: { from: number; to: number }[] = [];
  for (const span of sorted) {
    const last = found.at(-1);
    if (last && span.from <= last.to) last.to = Math.max(last.to, span.to);
    else found.push({ ...span });
  }
  return found;
}
