/**
 * The filter of the list of jobs as text: `status:failed type:invoice since:2h "timed out"`. The API reads it
 * (`q`, docs/reference/search.md); here it is only taken apart and put together.
 * This text is the URL's state, what the search box edits, and how other views link to the jobs that a number counts.
 */
import type { ListQuery } from "@/api/types";

export interface Term {
  /** The qualifier's name; null for text that is looked for. */
  readonly key: string | null;
  /** Its value without quotes; of several values, or behind a minus, as it is written. */
  readonly value: string;
  /** As it is written, with its minus. */
  readonly text: string;
  /** Where it stands in the filter, in characters from 0. */
  readonly start: number;
}

const QUOTED = String.raw`"(?:[^"\\]|\\.)*"?`;
const VALUE = String.raw`(?:${QUOTED}|[^\s,]*)`;
const TERM = new RegExp(
  String.raw`(-?)(?:([A-Za-z_]\w*):(${VALUE}(?:,${VALUE})*)|(${QUOTED}))(?=\s|$)|\S+`,
  "g",
);

/** The terms of a filter, whatever they say. */
export function parse(filter: string): Term[] {
  return Array.from(filter.matchAll(TERM), (match) => {
    const [text, minus = "", key, values, quoted] = match;
    const value = values === undefined ? (quoted ?? text) : values;
    const isOne = new RegExp(`^${QUOTED}$`).test(value);
    return {
      key: key ?? null,
      value: isOne && minus === "" ? unquoted(value) : value,
      text,
      start: Array.from(filter.slice(0, match.index)).length,
    };
  });
}

/** A filter of these terms. Qualifiers stand before text. */
export function print(terms: readonly Pick<Term, "key" | "text">[]): string {
  const texts = (are: boolean) => terms.filter((term) => (term.key !== null) === are).map(({ text }) => text);
  return [...texts(true), ...texts(false)].join(" ");
}

/** One qualifier as text. */
export function qualifier(key: string, value: string): string {
  return `${key}:${quotedIfNeeded(value, /[\s",]/)}`;
}

function quotedIfNeeded(value: string, special: RegExp): string {
  return special.test(value) || value === ""
    ? `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`
    : value;
}

function unquoted(value: string): string {
  return value.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1");
}

/** The search of a link to the jobs that have these values: `<Link to="/jobs" search={jobsWith({ status: "failed" })}>`. */
export function jobsWith(values: Readonly<Record<string, string | undefined>>): { q: string } {
  const terms = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [qualifier(key, value)],
  );
  return { q: terms.join(" ") };
}

/** A filter with another value of one qualifier, or without it. */
export function withQualifier(filter: string, key: string, value: string | null): string {
  const others = parse(filter).filter((term) => term.key !== key || term.text.startsWith("-"));
  return print(value === null ? others : [{ key, text: qualifier(key, value) }, ...others]);
}

/** The value of a qualifier, that is not behind a minus; null without one. */
export function valueOf(filter: string, key: string): string | null {
  const found = parse(filter).find((term) => term.key === key && !term.text.startsWith("-"));
  return found?.value ?? null;
}

/** A filter in three parts: the second one is the term in which a place is, from that place on. */
export function around(filter: string, place: number): { before: string; wrong: string; after: string } {
  const characters = Array.from(filter);
  const term = parse(filter).findLast(({ start }) => start <= place);
  const end = term ? Math.max(place, term.start + Array.from(term.text).length) : place;
  const part = (from: number, to?: number) => characters.slice(from, to).join("");
  return { before: part(0, place), wrong: part(place, end), after: part(end) };
}

/** The query parameters of GET /api/jobs for a filter. Times in it are of the viewer's zone. */
export function toQuery(filter: string): ListQuery {
  if (filter.trim() === "") return {};
  return { q: filter, tz: Intl.DateTimeFormat().resolvedOptions().timeZone };
}
