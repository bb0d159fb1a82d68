import { qualifier } from "@/filter/filter";

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
  /** The qualifiers that there are: name and what it is for. */
  readonly qualifiers: readonly (readonly [name: string, hint: string])[];
  /** What the API suggests as a value of the word that is typed, as it is written, with what to say of each. */
  readonly suggested: readonly (readonly [value: string, hint: string])[];
  /** Values that a word without a qualifier may mean. */
  readonly values: Readonly<Record<string, readonly (readonly [value: string, hint: string])[]>>;
  /** Qualifiers that the filter has already. */
  readonly used: ReadonlySet<string>;
  /** Saved filters: name and filter. */
  readonly saved?: readonly (readonly [name: string, filter: string])[];
}

const MOST = 10;
const MOST_SAVED = 4;
const VALUE = /^(-?[A-Za-z_]\w*:(?:.*,)?)([^,]*)$/;

/** The word at the end of a text: what stands behind its last space that is in no quotes. */
export function lastWord(text: string): string {
  return /(?:"(?:[^"\\]|\\.)*"?|\S)*$/.exec(text)?.[0] ?? "";
}

/** What the word that is being typed may become. */
export function suggestionsFor(word: string, known: Known): readonly Suggestion[] {
  const [, before, begun] = VALUE.exec(word) ?? [];
  if (before !== undefined) {
    return known.suggested
      .filter(([value]) => value !== begun)
      .slice(0, MOST)
      .map(([value, hint]) => ({ text: before + value, hint, group: "Values" }));
  }
  const minus = word.startsWith("-") ? "-" : "";
  const part = word.slice(minus.length).toLowerCase();
  const names = known.qualifiers.filter(
    ([name]) => name.startsWith(part) && (part !== "" || minus !== "" || !known.used.has(name)),
  );
  const direct =
    part.length < 2
      ? []
      : Object.entries(known.values).flatMap(([name, each]) =>
          each
            .filter(([value]) => value.toLowerCase().includes(part))
            .map(([value, hint]): Suggestion => ({
              text: minus + qualifier(name, value),
              hint,
              group: "Values",
            })),
        );
  const named = (minus === "" ? (known.saved ?? []) : [])
    .filter(([name]) => name.toLowerCase().includes(part))
    .map(([name, filter]): Suggestion => ({ text: name, hint: filter, group: "Saved", filter }));
  return [
    ...named.slice(0, MOST_SAVED),
    ...direct.slice(0, MOST),
    ...names.map(([name, hint]): Suggestion => ({ text: `${minus}${name}:`, hint, group: "Qualifiers" })),
  ].slice(0, MOST + MOST_SAVED + 10);
}
