/**
 * What in a draft does not fit its schema, in words for the one who fills in the form. It is there so that mistakes show
 * while one types; the API decides. So a keyword that it does not know is no mistake.
 */
import { plural } from "@/format/format";
import { type Draft, isObject, type Path, Unreadable } from "./draft";
import { type Field, fieldOf, type Keywords, nameOf, objectOf, resolved, stringsOf } from "./schema";

export interface Problem {
  readonly path: Path;
  readonly message: string;
}

/** How much of a draft is looked at: a schema may nest without an end, and a list be very long. */
const MOST_LOOKS = 5000;
const MOST_PROBLEMS = 50;

/** The first problems of a draft. */
export function problemsOf(draft: Draft | undefined, schema: unknown): Problem[] {
  return new Check(schema).of(draft, schema, []).slice(0, MOST_PROBLEMS);
}

/** Whether a value fits a part of a schema. */
export function fits(draft: Draft, schema: unknown, root: unknown): boolean {
  return new Check(root).of(draft, schema, []).length === 0;
}

/** Which alternative of a union a value is: the one that it fits, or the one that it is most like. */
export function optionOf(draft: Draft | undefined, options: readonly unknown[], root: unknown): number {
  if (draft === undefined) return -1;
  const check = new Check(root);
  const scores = options.map((option) => check.likeness(draft, option));
  return scores.indexOf(Math.max(...scores));
}

class Check {
  private left = MOST_LOOKS;

  constructor(private readonly root: unknown) {}

  of(draft: Draft | undefined, schema: unknown, path: Path): Problem[] {
    this.left -= 1;
    if (this.left < 0 || draft === undefined) return [];
    if (draft instanceof Unreadable) return [{ path, message: draft.problem }];
    if (schema === false) return [{ path, message: "It must not be given." }];
    const field = fieldOf(schema, this.root);
    if (draft === null && (field.isNullable || isAny(field.schema))) return [];
    const at = (message: string | null) => (message === null ? [] : [{ path, message }]);
    switch (field.kind) {
      case "constant":
      case "choice":
        return at(wrongChoice(draft, field));
      case "union":
        return this.union(draft, field, path);
      case "object":
        return isObject(draft) ? this.object(draft, field, path) : at("It has to be an object.");
      case "list":
        return Array.isArray(draft)
          ? [
              ...at(wrongLength(draft, field.schema)),
              ...draft.flatMap((each, place) => this.of(each, field.items, [...path, place])),
            ]
          : at("It has to be a list.");
      case "json":
        return at(wrongType(draft, field.schema));
      case "boolean":
        return at(typeof draft === "boolean" ? null : "It has to be true or false.");
      case "integer":
      case "number":
        return at(wrongNumber(draft, field));
      default:
        return at(wrongText(draft, field.schema));
    }
  }

  /** How much a value looks like an alternative; more is better, and fitting is best. */
  likeness(draft: Draft, schema: unknown): number {
    const problems = this.of(draft, schema, []);
    if (problems.length === 0) return 1000;
    if (problems.some(({ path }) => path.length === 0)) return -1000;
    const known = objectOf(resolved(schema, this.root).properties);
    const isOther = Object.entries(known).some(
      ([name, each]) =>
        isObject(draft) &&
        name in draft &&
        "const" in resolved(each, this.root) &&
        !this.isConstant(draft[name], each),
    );
    const shared = isObject(draft) ? Object.keys(draft).filter((name) => name in known).length : 0;
    return (isOther ? -500 : 0) + shared * 10 - problems.length;
  }

  private isConstant(draft: Draft | undefined, schema: unknown): boolean {
    return draft === resolved(schema, this.root).const;
  }

  private union(draft: Draft, field: Field, path: Path): Problem[] {
    const { options, schema } = field;
    const fitting = options.filter((option) => this.of(draft, option, path).length === 0).length;
    if (fitting > 1 && Array.isArray(schema.oneOf))
      return [{ path, message: `It fits ${fitting} of the kinds, and has to fit one.` }];
    if (fitting > 0) return [];
    const option = options[optionOf(draft, options, this.root)];
    const problems = this.of(draft, option, path);
    return problems.some((problem) => problem.path.length > path.length)
      ? problems
      : [
          {
            path,
            message: `It has to be one of: ${options.map((each) => nameOf(each, this.root)).join(", ")}.`,
          },
        ];
  }

  private object(draft: { [name: string]: Draft }, field: Field, path: Path): Problem[] {
    const { properties, entries, schema, alternatives } = field;
    const known = objectOf(schema.properties);
    const missing = properties.filter(({ name, isRequired }) => isRequired && !Object.hasOwn(draft, name));
    const others = Object.keys(draft).filter((name) => !(name in known));
    return [
      ...missing.map(({ name }) => ({ path: [...path, name], message: "It is required." })),
      ...properties.flatMap(({ name, schema: each }) =>
        Object.hasOwn(draft, name) ? this.of(draft[name], each, [...path, name]) : [],
      ),
      ...others.flatMap((name) =>
        schema.additionalProperties === false && !("patternProperties" in schema)
          ? [{ path: [...path, name], message: "The schema does not have it: remove it." }]
          : this.of(draft[name], entries, [...path, name]),
      ),
      ...wrongAlternative(draft, alternatives, Array.isArray(schema.oneOf)).map((message) => ({
        path,
        message,
      })),
      ...wrongEntries(Object.keys(draft).length, schema).map((message) => ({ path, message })),
    ];
  }
}

function isAny(schema: Keywords): boolean {
  return (
    !("type" in schema) &&
    !("enum" in schema) &&
    !("const" in schema) &&
    !("anyOf" in schema) &&
    !("oneOf" in schema)
  );
}

function wrongChoice(draft: Draft, { values }: Field): string | null {
  const text = JSON.stringify(draft);
  if (values.some((value) => JSON.stringify(value) === text)) return null;
  return `It has to be ${values.length === 1 ? "" : "one of "}${values.map((value) => String(value as string)).join(", ")}.`;
}

function wrongNumber(draft: Draft, { kind, schema }: Field): string | null {
  if (typeof draft !== "number") return "It has to be a number.";
  if (kind === "integer" && !Number.isInteger(draft)) return "It has to be a whole number.";
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (typeof minimum === "number" && draft < minimum) return `${draft} is less than ${minimum}.`;
  if (typeof maximum === "number" && draft > maximum) return `${draft} is more than ${maximum}.`;
  if (typeof exclusiveMinimum === "number" && draft <= exclusiveMinimum)
    return `It has to be more than ${exclusiveMinimum}.`;
  if (typeof exclusiveMaximum === "number" && draft >= exclusiveMaximum)
    return `It has to be less than ${exclusiveMaximum}.`;
  // A rest of a division is inexact for fractions: these the API decides.
  if (Number.isInteger(multipleOf) && Number.isInteger(draft) && draft % (multipleOf as number) !== 0)
    return `It has to be a multiple of ${String(multipleOf as number)}.`;
  return null;
}

function wrongText(draft: Draft, { minLength, maxLength, pattern }: Keywords): string | null {
  if (typeof draft !== "string") return "It has to be text.";
  const length = Array.from(draft).length;
  if (typeof minLength === "number" && length < minLength)
    return length === 0
      ? "It must not be empty."
      : `It has ${length} of at least ${plural(minLength, "character")}.`;
  if (typeof maxLength === "number" && length > maxLength)
    return `It has ${length} characters, ${length - maxLength} too many.`;
  if (typeof pattern === "string" && patternOf(pattern)?.test(draft) === false)
    return `It does not match the pattern ${pattern}.`;
  return null;
}

/** A pattern of a schema; null if it is one for Python only. */
function patternOf(pattern: string): RegExp | null {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return null;
  }
}

function wrongLength(draft: readonly Draft[], { minItems, maxItems, uniqueItems }: Keywords): string | null {
  if (typeof minItems === "number" && draft.length < minItems)
    return `It needs at least ${plural(minItems, "item")}.`;
  if (typeof maxItems === "number" && draft.length > maxItems)
    return `It may have ${plural(maxItems, "item")} at most.`;
  if (uniqueItems === true && new Set(draft.map((each) => JSON.stringify(each))).size < draft.length)
    return "Two of its items are the same.";
  return null;
}

function wrongEntries(count: number, { minProperties, maxProperties }: Keywords): string[] {
  if (typeof minProperties === "number" && count < minProperties)
    return [`It needs at least ${plural(minProperties, "entry", "entries")}.`];
  if (typeof maxProperties === "number" && count > maxProperties)
    return [`It may have ${plural(maxProperties, "entry", "entries")} at most.`];
  return [];
}

function wrongAlternative(
  draft: { [name: string]: Draft },
  alternatives: readonly (readonly string[])[],
  isOne: boolean,
): string[] {
  if (alternatives.length === 0) return [];
  // An alternative also says that what it names is not null.
  const given = alternatives.filter((names) => names.every((name) => draft[name] != null));
  const list = alternatives.map((names) => names.join(" and ")).join(", or ");
  if (given.length === 0) return [`Give ${list}.`];
  return isOne && given.length > 1 ? [`Give only one of ${list}.`] : [];
}

function wrongType(draft: Draft, schema: Keywords): string | null {
  const types = stringsOf(Array.isArray(schema.type) ? schema.type : [schema.type]);
  if (types.includes("object") && !isObject(draft)) return "It has to be an object: {…}.";
  if (types.includes("array"))
    return Array.isArray(draft) ? wrongLength(draft, schema) : "It has to be a list: […].";
  return null;
}
