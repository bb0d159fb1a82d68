/** Where values of a chart stand: pure, without drawing. Places are shares of the height, 0 at the top. */

/** Durations that people know, in seconds: the lines of a chart of durations. */
const STEPS_S = [
  0.001,
  0.01,
  0.1,
  1,
  10,
  60,
  600,
  3600,
  6 * 3600,
  24 * 3600,
  7 * 24 * 3600,
  31 * 24 * 3600,
] as const;

export interface Scale {
  /** The values at which a line stands, smallest first. */
  readonly ticks: readonly number[];
  /** The place of a value; what is outside stands at the edge. */
  readonly place: (value: number) => number;
}

/** Durations in seconds on a logarithmic scale: p50 and p99 are often a hundredfold apart. Null if there are none. */
export function durationScale(lines: readonly (readonly (number | null)[])[]): Scale | null {
  const found = lines.flat().filter((value) => value !== null);
  if (found.length === 0) return null;
  const lowest = Math.min(...found);
  const highest = Math.max(...found);
  const from = Math.max(
    0,
    STEPS_S.findLastIndex((step) => step <= lowest),
  );
  const above = STEPS_S.findIndex((step) => step >= highest);
  const to = Math.max(from + 1, above === -1 ? STEPS_S.length - 1 : above);
  const ticks = STEPS_S.slice(from, to + 1);
  const [bottom, top] = [Math.log(ticks[0] ?? 1), Math.log(ticks.at(-1) ?? 10)];
  return { ticks, place: (value) => held(1 - (Math.log(Math.max(value, 1e-6)) - bottom) / (top - bottom)) };
}

/** Counts from 0 on, up to a round number. */
export function countScale(values: readonly number[]): Scale {
  const highest = Math.max(1, ...values);
  const power = 10 ** Math.floor(Math.log10(highest));
  const top = ([1, 2, 5, 10].find((factor) => factor * power >= highest) ?? 10) * power;
  const ticks = top === 1 ? [0, 1] : [0, top / 2, top].filter(Number.isInteger);
  return { ticks, place: (value) => held(1 - value / top) };
}

function held(place: number): number {
  return Math.min(1, Math.max(0, place));
}

/**
 * The path of a line in a box of 1000 by `height`, with gaps where there is no value. A value that stands alone is a
 * short stroke, so that it is seen.
 */
export function linePath(
  values: readonly (number | null)[],
  scale: Scale,
  height: number,
  dash = 16,
): string {
  const step = values.length > 1 ? 1000 / (values.length - 1) : 0;
  const has = (index: number) => values[index] != null;
  return values
    .map((value, index) => {
      if (value === null) return "";
      const x = values.length > 1 ? index * step : 500;
      const y = (scale.place(value) * height).toFixed(1);
      if (has(index - 1)) return `L${x.toFixed(1)} ${y}`;
      return has(index + 1)
        ? `M${x.toFixed(1)} ${y}`
        : `M${Math.min(1000 - dash, Math.max(0, x - dash / 2)).toFixed(1)} ${y}h${dash}`;
    })
    .join("");
}

/** Which of `count` points is nearest to a place from 0 (left) to 1 (right). */
export function nearest(share: number, count: number): number {
  return Math.min(count - 1, Math.max(0, Math.round(share * (count - 1))));
}
