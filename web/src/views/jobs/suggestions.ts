import { QUALIFIERS, qualifier } from "@/filter/filter";

export interface Suggestion {
  /** What the typed word becomes; it ends with a colon if a value has to follow. */
  readonly text: string;
  /** What it is, or how many jobs it has. */
  readonly hint: string;
  readonly group: "Saved" | "Values" | "Qualifiers";
  /** The whole filter that it stands for, if it is a saved one. */
  readonly filter?: string;
}

export interface Known {
  /** For each qualifier the values that there are, with what to say of each. */
  readonly values: Readonly<Record<string, readonly (readonly [value: string, hint: string])[]>>;
  /** Qualifiers that the filter has already. */
  readonly used: ReadonlySet<string>;
  /** Saved filters: name and filter. */
  readonly saved?: readonly (readonly [name: string, filter: string])[];
}

const MOST = 10;
const MOST_SAVED = 4;

/** What the word that is being typed may become. */
export function suggestionsFor(word: string, { values, used, saved = [] }: Known): readonly Suggestion[] {
  const [, key, begun = ""] = /^([a-z_]+):"?([^"]*)$/.exec(word) ?? [];
  if (key !== undefined && key in QUALIFIERS) {
    const given = values[key] ?? QUALIFIERS[key]?.values?.map((value) => [value, ""] as const) ?? [];
    return given
      .filter(([value]) => value.toLowerCase().includes(begun.toLowerCase()) && value !== begun)
      .slice(0, MOST)
      .map(([value, hint]) => ({ text: qualifier(key, value), hint, group: "Values" }));
  }
  const names = Object.entries(QUALIFIERS).filter(([name]) => name.startsWith(word) && !used.has(name));
  const direct =
    word.length < 2
      ? []
      : Object.entries(values).flatMap(([name, each]) =>
          used.has(name)
            ? []
            : each
                .filter(([value]) => value.toLowerCase().includes(word.toLowerCase()))
                .map(([value, hint]): Suggestion => ({
                  text: qualifier(name, value),
                  hint,
                  group: "Values",
                })),
        );
  const named = saved
    .filter(([name]) => name.toLowerCase().includes(word.toLowerCase()))
    .map(([name, filter]): Suggestion => ({ text: name, hint: filter, group: "Saved", filter }));
  return [
    ...named.slice(0, MOST_SAVED),
    ...direct.slice(0, MOST),
    ...names.map(([name, { hint }]): Suggestion => ({ text: `${name}:`, hint, group: "Qualifiers" })),
  ].slice(0, MOST + MOST_SAVED + 2);
}
