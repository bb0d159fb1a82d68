/** Groups of failures as rows and sentences. */
import type { FailureAction, FailureGroup, FailureState, Schemas } from "@/api/types";
import { count, plural } from "@/format/format";

/** What is being said of a group. */
export interface Marking {
  readonly id: string;
  readonly action: FailureAction;
}

export interface GroupRow {
  readonly group: FailureGroup;
  /** It does not match any more: it stays in its place until the list is asked for anew. */
  readonly isGone: boolean;
}

/** The rows that stand, with their values as they are now, in the order in which they were asked for; others wait. */
export function arranged(
  held: readonly FailureGroup[],
  now: readonly FailureGroup[],
): { rows: readonly GroupRow[]; newer: number } {
  const current = new Map(now.map((group) => [group.id, group]));
  const standing = new Set(held.map(({ id }) => id));
  return {
    rows: held.map((group) => ({ group: current.get(group.id) ?? group, isGone: !current.has(group.id) })),
    newer: now.filter(({ id }) => !standing.has(id)).length,
  };
}

/** A group's error on one line. */
export function errorOf({ error_type, message }: Pick<FailureGroup, "error_type" | "message">): string {
  return message === "" ? error_type : `${error_type}: ${message}`;
}

const MOST_TYPES = 3;

/** Its types by name, as many as a line has room for. */
export function typesOf(group: Pick<FailureGroup, "types">): string {
  const names = Object.keys(group.types).map((name) => (name === "" ? "others" : name));
  const more = names.length > MOST_TYPES ? `, ${names.length - MOST_TYPES} more` : "";
  return names.slice(0, MOST_TYPES).join(", ") + more;
}

/** The filter of the jobs of a group that are failed now with its error. */
export function jobsOf(
  id: string,
  finished?: string,
): { status: string; failure: string; finished?: string } {
  return { status: "failed", failure: id, ...(finished === undefined ? {} : { finished }) };
}

/** What can be said of a group in a state, with the words of its button, and a key. */
export const ACTIONS: Readonly<
  Record<FailureAction, { label: string; doing: string; key: string; done: string }>
> = {
  resolve: { label: "Resolve", doing: "Resolving…", key: "e", done: "resolved" },
  ignore: { label: "Ignore", doing: "Ignoring…", key: "i", done: "ignored" },
  reopen: { label: "Reopen", doing: "Reopening…", key: "o", done: "reopened" },
};

const POSSIBLE: Readonly<Record<FailureState, readonly FailureAction[]>> = {
  new: ["resolve", "ignore", "reopen"],
  regressed: ["resolve", "ignore", "reopen"],
  known: ["resolve", "ignore"],
  resolved: ["reopen", "ignore"],
  ignored: ["reopen"],
};

export function actionsOf(state: FailureState): readonly FailureAction[] {
  return POSSIBLE[state];
}

/** What can be said of all groups of some states, in the order of the buttons. */
export function commonActions(states: readonly FailureState[]): readonly FailureAction[] {
  const all = Object.keys(ACTIONS) as FailureAction[];
  return all.filter((action) => states.some((state) => POSSIBLE[state].includes(action)));
}

/** The words of a button: who reopens what is open says that it is known. */
export function labelOf(action: FailureAction, state: FailureState): string {
  return action === "reopen" && (state === "new" || state === "regressed")
    ? "Mark as known"
    : ACTIONS[action].label;
}

export interface Part {
  readonly name: string;
  readonly count: number;
}

/** How many by each name; the others last. */
export function partsOf(counts: Readonly<Record<string, number>>): readonly Part[] {
  return Object.entries(counts)
    .map(([name, number]) => ({ name, count: number }))
    .sort((a, b) => Number(a.name === "") - Number(b.name === "") || b.count - a.count);
}

/** What the releases say: whether it is of one alone. Null if that is not known. */
export function releaseSentence({ releases, count: all }: Schemas["FailureGroupDetails"]): string | null {
  const names = Object.keys(releases);
  const sum = Object.values(releases).reduce((total, each) => total + each, 0);
  const [only] = names;
  if (only === undefined || only === "") return null;
  if (names.length > 1) return `${plural(names.length, "release")} have it.`;
  return sum < all
    ? `Release ${only} has it; of ${count(all - sum)} the release is not known.`
    : `Only release ${only} has it.`;
}

/** The beginnings of the last hours, the present one last, as the API counts them. */
export function hoursUntil(now: number, hours: number): readonly string[] {
  const last = Math.floor(now / 3_600_000);
  return Array.from({ length: hours }, (_, n) => new Date((last - hours + 1 + n) * 3_600_000).toISOString());
}
