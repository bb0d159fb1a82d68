/** Which span of time the lanes show. */
import type { ClockSpan } from "./route";

export const RANGES = { "1h": 3_600_000, "6h": 21_600_000, "24h": 86_400_000, "10m": 600_000 } as const;
export type Range = keyof typeof RANGES;

/** The span that the address names, as far as it can be read. */
export function spanOf({ range, until }: Readonly<Record<"range" | "until", string | undefined>>): ClockSpan {
  return {
    range: range !== undefined && range in RANGES ? (range as Range) : undefined,
    until: until !== undefined && !Number.isNaN(Date.parse(until)) ? until : undefined,
  };
}

/** The span before or after one, as the URL has it; what reaches up to now follows the clock. */
export function moved({ range = "1h", until }: ClockSpan, by: -1 | 1, now: number): ClockSpan {
  const length = RANGES[range];
  const end = (until === undefined ? now : Date.parse(until)) + by * length;
  return { range, until: end >= now - 60_000 ? undefined : minute(end) };
}

/** The shortest span that has two moments in it, around them: to look at what was too short for a pixel. */
export function closer(from: number, to: number, now: number): ClockSpan {
  const lengths = Object.entries(RANGES).sort(([, one], [, two]) => one - two);
  const [range] = lengths.find(([, length]) => length >= to - from) ?? ["24h" as const];
  const end = (from + to) / 2 + RANGES[range as Range] / 2;
  return { range: range as Range, until: end >= now ? undefined : minute(end) };
}

/** The next full minute: 2026-11-29T14:32Z. */
function minute(at: number): string {
  return new Date(Math.ceil(at / 60_000) * 60_000).toISOString().replace(":00.000Z", "Z");
}
