/** Where a time axis has its ticks, and what they say. */

export interface Tick {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly label: string;
}

const S = 1000;
const MIN = 60 * S;
const H = 60 * MIN;
const D = 24 * H;
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * S),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MIN),
  ...[1, 2, 3, 6, 12].map((n) => n * H),
  ...[1, 2, 7, 14, 30, 90, 365].map((n) => n * D),
];

/**
 * Ticks at round times of the viewer's zone.
 *
 * @param from The axis's begin, in milliseconds.
 * @param to Its end.
 * @param most How many there may be.
 */
export function ticks(from: number, to: number, most: number): Tick[] {
  if (!(to > from) || most < 1) return [];
  const step = STEPS.find((each) => (to - from) / each <= most) ?? Math.ceil((to - from) / most / D) * D;
  // Round in the viewer's zone: a day begins at its midnight.
  const offset = -new Date(from).getTimezoneOffset() * MIN;
  const found: Tick[] = [];
  for (let at = Math.ceil((from + offset) / step) * step - offset; at <= to; at += step)
    found.push({ at, label: tickLabel(at, step) });
  return found;
}

/** A time as precisely as ticks of that step need it. */
export function tickLabel(time: number, step: number): string {
  const at = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  if (step >= D) return `${at.getDate()} ${at.toLocaleString("en", { month: "short" })}`;
  const minutes = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (step >= MIN) return minutes;
  if (step >= S) return `${minutes}:${two(at.getSeconds())}`;
  return `${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}
