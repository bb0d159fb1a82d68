/** The labels of a time axis: those that have room, and none upon another. */

export interface AxisLabel {
  /** Where it is on the axis, 0 to 1. */
  readonly x: number;
  readonly text: string;
  /** `pause`: it stands in the middle of a squeezed pause; `tick`: it begins at its time. */
  readonly kind: "tick" | "pause";
}

/** The width of a character of the axis, at most, in pixels. */
const CHARACTER_PX = 6.6;
const GAP_PX = 8;

/**
 * Those that are shown. How long a squeezed pause is stands nowhere else: pauses come first, then ticks from the left.
 *
 * @param labels All that there could be.
 * @param width Of the axis, in pixels.
 */
export function fitting(labels: readonly AxisLabel[], width: number): AxisLabel[] {
  const taken: { from: number; to: number }[] = [];
  const order = [...labels].sort(
    (a, b) => Number(a.kind === "tick") - Number(b.kind === "tick") || a.x - b.x,
  );
  const shown = order.filter(({ x, text, kind }) => {
    const px = text.length * CHARACTER_PX;
    const from = x * width - (kind === "pause" ? px / 2 : 0);
    const to = from + px;
    if (from < 0 || to > width || taken.some((other) => from < other.to + GAP_PX && to > other.from - GAP_PX))
      return false;
    taken.push({ from, to });
    return true;
  });
  return shown.sort((a, b) => a.x - b.x);
}
