/** What a comparison of two releases says, in words. */
import type { Schemas } from "@/api/types";

export type Verdict = Schemas["Verdict"];

export const WORDS: Readonly<Record<Verdict, string>> = {
  worse: "worse",
  better: "better",
  no_difference: "no difference seen",
  too_few: "too few jobs",
};

/** A p-value: three digits, or that it is smaller. */
export function pText(p: number | null | undefined): string {
  if (p == null) return "";
  return p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
}

interface Pair {
  readonly a: string;
  readonly b: string;
}

/**
 * Which two are compared: those that are named, else the newest with the one that was there before it. Null: there are no
 * two.
 *
 * @param releases The newest first.
 */
export function pairOf(
  releases: readonly Pick<Schemas["Release"], "release" | "first_seen">[],
  named: { a?: string; b?: string },
): Pair | null {
  const byBegin = [...releases].sort((one, two) => Date.parse(two.first_seen) - Date.parse(one.first_seen));
  const b = named.b ?? byBegin.find(({ release }) => release !== named.a)?.release;
  if (b === undefined) return null;
  const place = byBegin.findIndex(({ release }) => release === b);
  const before = byBegin.slice(place + 1).concat(byBegin.slice(0, Math.max(0, place)));
  const a = named.a ?? before.find(({ release }) => release !== b)?.release;
  return a === undefined || a === b ? null : { a, b };
}
