/** A payload while somebody edits it: JSON, in which a value that can't be read yet stands as it was typed. */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** What was typed and is no value of its kind. */
export class Unreadable {
  constructor(
    readonly text: string,
    /** Why, as a sentence. */
    readonly problem: string,
  ) {}
}

/** Of an item or entry that was just added, or emptied: it stays in its place. */
export const NOTHING_YET = new Unreadable("", "Fill it in, or remove it.");

export type Draft = null | boolean | number | string | Unreadable | Draft[] | { [name: string]: Draft };
export type Path = readonly (string | number)[];

export function isObject(value: unknown): value is { [name: string]: Draft } {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Unreadable)
  );
}

/** The value at a path; undefined if there is none. */
export function getAt(draft: Draft | undefined, path: Path): Draft | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return draft;
  if (Array.isArray(draft)) return typeof step === "number" ? getAt(draft[step], rest) : undefined;
  return isObject(draft) && Object.hasOwn(draft, step) ? getAt(draft[step], rest) : undefined;
}

/** The same with another value at a path. `undefined` takes it away; what is missing on the way is made. */
export function setAt(draft: Draft | undefined, path: Path, value: Draft | undefined): Draft | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  if (typeof step === "number") {
    const list = Array.isArray(draft) ? draft : [];
    const next = setAt(list[step], rest, value);
    return next === undefined
      ? list.filter((_, place) => place !== step)
      : [...list.slice(0, step), next, ...list.slice(step + 1)];
  }
  const { [step]: old, ...others } = isObject(draft) ? draft : {};
  const next = setAt(old, rest, value);
  if (next === undefined) return others;
  return isObject(draft) && Object.hasOwn(draft, step)
    ? Object.fromEntries(Object.entries(draft).map(([name, each]) => [name, name === step ? next : each]))
    : { ...others, [step]: next };
}

/** The path of an error as the API writes it: `steps.0.column`. */
export function pathText(path: Path): string {
  return path.join(".");
}

/** The first thing in a draft that can't be read. */
export function firstUnreadable(draft: Draft, path: Path = []): { path: Path; problem: string } | null {
  if (draft instanceof Unreadable) return { path, problem: draft.problem };
  const parts: readonly (readonly [string | number, Draft])[] = Array.isArray(draft)
    ? draft.map((each, place) => [place, each] as const)
    : isObject(draft)
      ? Object.entries(draft)
      : [];
  for (const [step, part] of parts) {
    const found = firstUnreadable(part, [...path, step]);
    if (found) return found;
  }
  return null;
}

/** A draft as it is sent; null while something in it can't be read. */
export function payloadOf(draft: Draft): { [name: string]: Json } | null {
  return isObject(draft) && firstUnreadable(draft) === null ? (draft as { [name: string]: Json }) : null;
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/** A number as it was typed; undefined if nothing was. */
export function numberOf(typed: string, isWhole: boolean): number | Unreadable | undefined {
  const text = typed.trim();
  if (text === "") return undefined;
  const value = Number(text);
  if (!NUMBER.test(text) || !Number.isFinite(value)) return new Unreadable(typed, "It is not a number.");
  if (isWhole && !Number.isInteger(value)) return new Unreadable(typed, "It is not a whole number.");
  if (Number.isInteger(value) && !Number.isSafeInteger(value))
    return new Unreadable(typed, "A browser can't hold so large a number: use the API.");
  return value;
}

/** JSON as it was typed; undefined if nothing was. */
export function jsonOf(typed: string): Json | Unreadable | undefined {
  if (typed.trim() === "") return undefined;
  try {
    const value = JSON.parse(typed) as Json;
    if (hasRoundedNumber(typed))
      return new Unreadable(typed, "A browser can't hold one of its numbers: use the API.");
    return value;
  } catch (error) {
    return new Unreadable(typed, `It is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Whether a whole number in a JSON text is larger than a browser counts: it would be sent as another one. */
function hasRoundedNumber(text: string): boolean {
  const numbers = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, "").match(/-?\d+(?![\d.eE])/g) ?? [];
  return numbers.some((number) => !Number.isSafeInteger(Number(number)));
}
