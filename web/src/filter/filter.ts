/**
 * The filter of the list of jobs as text: `status:failed type:invoice since:2h some words of the name`.
 * This text is the URL's state, what the search box edits, and how other views link to the jobs that a number counts.
 */
import { type ListQuery, PRIORITIES, STATUSES } from "@/api/types";

interface QualifierKind {
  /** What it is for, in a few words. */
  readonly hint: string;
  /** The values that it may have, if they are few. */
  readonly values?: readonly string[];
  /** The query of the API; null: the value makes no sense. */
  readonly query: (value: string, now: number) => ListQuery | null;
}

/** The qualifiers by name. A new filter of the API gets a line here. */
export const QUALIFIERS: Readonly<Record<string, QualifierKind>> = {
  status: oneOf("the status", STATUSES, (status) => ({ status })),
  type: text("a job type", (job_type) => ({ job_type })),
  priority: oneOf("critical, high, normal, low", PRIORITIES, (priority) => ({ priority })),
  tag: text("a tag", (tag) => ({ tag })),
  name: text("a part of the name", (name) => ({ name })),
  since: moment("created since: 15m, 2h, 7d or a date", (created_from) => ({ created_from })),
  until: moment("created until", (created_to) => ({ created_to })),
  ended: moment("ended since: 15m, 2h, 7d or a date", (finished_from) => ({ finished_from })),
  ended_until: moment("ended until", (finished_to) => ({ finished_to })),
  parent: text("the id of the parent", (parent) => ({ parent })),
  sent_by: text("the id of the job that sent it", (sent_by) => ({ sent_by })),
  group: text("Celery's id of a group", (group) => ({ group })),
};

export interface Term {
  /** The qualifier's name; null for a word of the name. */
  readonly key: string | null;
  readonly value: string;
  /** Why it can't be used; null if it can. */
  readonly problem: string | null;
}

const TERM = /(-?[a-z_]+):(?:"([^"]*)"|(\S*))|"([^"]*)"|(\S+)/g;

/** The terms of a filter, each with what is wrong with it. */
export function parse(filter: string): Term[] {
  const seen = new Set<string>();
  return Array.from(filter.matchAll(TERM), ([, key, quoted, plain, quotedWord, word]) => {
    const isKnown = key !== undefined && key.replace(/^-/, "") in QUALIFIERS;
    if (key === undefined || !isKnown) {
      const value = quotedWord ?? word ?? (key === undefined ? "" : `${key}:${quoted ?? plain ?? ""}`);
      return { key: null, value, problem: key === undefined ? null : unknownQualifier(key) };
    }
    const value = quoted ?? plain ?? "";
    const problem = problemOf(key, value, seen);
    seen.add(key);
    return { key, value, problem };
  });
}

/** A filter of these terms. Qualifiers stand before words. */
export function print(terms: readonly Pick<Term, "key" | "value">[]): string {
  const qualifiers = terms
    .filter((term) => term.key !== null)
    .map(({ key, value }) => qualifier(key ?? "", value));
  const words = terms.filter((term) => term.key === null).map(({ value }) => value);
  return [...qualifiers, ...words].join(" ");
}

/** One qualifier as text. */
export function qualifier(key: string, value: string): string {
  return `${key}:${/[\s"]/.test(value) || value === "" ? `"${value.replaceAll('"', "")}"` : value}`;
}

/** The search of a link to the jobs that have these values: `<Link to="/jobs" search={jobsWith({ status: "failed" })}>`. */
export function jobsWith(values: Readonly<Record<string, string | undefined>>): { q: string } {
  const terms = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value }],
  );
  return { q: print(terms) };
}

/** A filter with another value of one qualifier, or without it. */
export function withQualifier(filter: string, key: string, value: string | null): string {
  const others = parse(filter).filter((term) => term.key !== key);
  return print(value === null ? others : [{ key, value }, ...others]);
}

/** The value of a qualifier that can be used; null without one. */
export function valueOf(filter: string, key: string): string | null {
  return parse(filter).find((term) => term.key === key && term.problem === null)?.value ?? null;
}

/**
 * The query parameters of GET /api/jobs for a filter. Terms with a problem are left out; the search box names them.
 *
 * @param now The moment from which `since:2h` counts.
 */
export function toQuery(filter: string, now: number): ListQuery {
  const terms = parse(filter).filter((term) => term.problem === null);
  const words = terms.filter((term) => term.key === null).map((term) => term.value);
  return Object.assign(
    words.length > 0 ? { name: words.join(" ") } : {},
    ...terms.map(({ key, value }) => (key === null ? null : (QUALIFIERS[key]?.query(value, now) ?? null))),
  ) as ListQuery;
}

function problemOf(key: string, value: string, seen: ReadonlySet<string>): string | null {
  if (key.startsWith("-")) return "The API can't leave jobs out: remove the minus.";
  const kind = QUALIFIERS[key];
  if (kind === undefined) return unknownQualifier(key);
  if (seen.has(key)) return `There is another ${key}: already, and a job must match both.`;
  if (value === "") return `It needs a value: ${kind.hint}.`;
  if (kind.query(value, 0) === null)
    return `“${value}” is not a value of it: ${kind.values?.join(", ") ?? kind.hint}.`;
  return null;
}

function unknownQualifier(key: string): string {
  return `There is no qualifier ${key}:. Quote it if it is a part of the name.`;
}

function text(hint: string, query: (value: string) => ListQuery): QualifierKind {
  return { hint, query };
}

function oneOf<Value extends string>(
  hint: string,
  values: readonly Value[],
  query: (value: Value) => ListQuery,
): QualifierKind {
  return {
    hint,
    values,
    query: (value) => {
      const found = values.find((each) => each === value);
      return found === undefined ? null : query(found);
    },
  };
}

function moment(hint: string, query: (time: string) => ListQuery): QualifierKind {
  return {
    hint,
    query: (value, now) => {
      const at = momentOf(value, now);
      return at === null ? null : query(at);
    },
  };
}

const AGE = /^(\d{1,6})(s|m|h|d|w)$/;
const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

function momentOf(value: string, now: number): string | null {
  const age = AGE.exec(value);
  if (age) return new Date(now - Number(age[1]) * (UNIT_S[age[2] ?? ""] ?? 0) * 1000).toISOString();
  // A date alone is midnight in the viewer's zone; JavaScript would take it as UTC.
  const at = /^\d{4}-\d\d-\d\d/.test(value)
    ? Date.parse(value.length === 10 ? `${value}T00:00` : value)
    : Number.NaN;
  return Number.isNaN(at) ? null : new Date(at).toISOString();
}
