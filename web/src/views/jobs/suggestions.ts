import { QUALIFIERS, qualifier } from "@/filter/filter";

export interface Suggestion {
  /** What the typed word becomes; it ends with a colon if a value has to follow. */
  readonly text: string;
  /** What it is, or how many jobs it has. */
  readonly hint: string;
  readonly group: "Values" | "Qualifiers";
}

export interface Known {
  /** For each qualifier the values that there are, with what to say of each. */
  readonly values: Readonly<Record<string, readonly (readonly [value: string, hint: string])[]>>;
  /** Qualifiers that the filter has already. */
  readonly used: ReadonlySet<string>;
}

const MOST = 10;

/** What the word that is being typed may become. */
export function suggestionsFor(word: string, { values, used }: Known): readonly Suggestion[] {
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
  return [
    ...direct.slice(0, MOST),
    ...names.map(([name, { hint }]): Suggestion => ({ text: `${name}:`, hint, group: "Qualifiers" })),
  ].slice(0, MOST + 2);
}
