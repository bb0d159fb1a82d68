/** A JSON Schema as fields of a form. What a form can't do is a field of JSON. */
import { isObject, type Draft, type Json } from "./draft";

/** The keywords of a schema that the form reads. Schemas are written by others: each is looked at before it is used. */
export interface Keywords {
  readonly [keyword: string]: unknown;
}

export type Kind =
  | "text"
  | "date"
  | "datetime"
  | "integer"
  | "number"
  | "boolean"
  | "choice"
  | "constant"
  | "object"
  | "list"
  | "union"
  | "json";

export interface Property {
  readonly name: string;
  readonly schema: unknown;
  readonly isRequired: boolean;
}

export interface Field {
  readonly kind: Kind;
  readonly schema: Keywords;
  readonly title: string | null;
  readonly description: string;
  /** What the task takes if it is not given; undefined: nothing is said. */
  readonly fallback: Json | undefined;
  readonly examples: readonly Json[];
  readonly isNullable: boolean;
  /** Of a choice, or the one of a constant. */
  readonly values: readonly Json[];
  /** Of a union. */
  readonly options: readonly unknown[];
  /** Of an object. */
  readonly properties: readonly Property[];
  /** The schema of entries beside the properties; undefined: there may be none. */
  readonly entries: unknown;
  /** Properties of which one set has to be given, and no other: `oneOf` or `anyOf` with `required` alone. */
  readonly alternatives: readonly (readonly string[])[];
  /** Of a list. */
  readonly items: unknown;
}

const MOST_HOPS = 20;
const TYPES = ["string", "integer", "number", "boolean", "object", "array", "null"] as const;

/** The field of a schema, with what its `$ref`s name. */
export function fieldOf(schema: unknown, root: unknown): Field {
  const outer = resolved(schema, root);
  const { inner, isNullable } = withoutNull(outer, root);
  const options = alternativesOf(inner);
  const alternatives = options === null ? [] : (requiredSets(inner, options, root) ?? []);
  const labels = options === null ? null : constantsOf(options, root);
  const kind = kindOf(inner, options, alternatives.length > 0, labels !== null);
  const names = kind === "object" ? objectOf(inner.properties) : {};
  const needed = stringsOf(inner.required);
  return {
    kind,
    schema: inner,
    title: textOf(inner.title),
    description: textOf(inner.description) ?? "",
    fallback: "default" in inner ? (inner.default as Json) : undefined,
    examples: Array.isArray(inner.examples) ? (inner.examples as Json[]) : [],
    isNullable,
    values: "const" in inner ? [inner.const as Json] : (labels ?? (listOf(inner.enum) as Json[])),
    options: kind === "union" ? (options ?? typesOf(inner).map((type) => ({ ...inner, type }))) : [],
    properties: Object.entries(names).map(([name, each]) => ({
      name,
      schema: each,
      isRequired: needed.includes(name),
    })),
    entries: inner.additionalProperties === false ? undefined : inner.additionalProperties,
    alternatives,
    items: inner.items,
  };
}

/** A schema whose `$ref`s are followed and whose `allOf`s are merged. What stands beside a `$ref` counts more. */
export function resolved(schema: unknown, root: unknown): Keywords {
  let found: Keywords = isObject(schema) ? schema : {};
  for (let hop = 0; hop < MOST_HOPS && typeof found.$ref === "string"; hop += 1) {
    const { $ref, ...beside } = found;
    const named = pointed($ref, root);
    found = isObject(named) ? { ...named, ...beside } : beside;
  }
  if (!Array.isArray(found.allOf)) return found;
  const { allOf, ...own } = found;
  return allOf.map((part) => resolved(part, root)).reduce<Keywords>(merged, own);
}

/** A schema in a few words: string, 1 to 500, one of 3. */
export function inWords(field: Field, root: unknown): string {
  const { kind, schema } = field;
  const words: Readonly<Record<Kind, string>> = {
    text: "text",
    date: "date",
    datetime: "date and time",
    integer: "whole number",
    number: "number",
    boolean: "true or false",
    choice: `one of ${field.values.length}`,
    constant: "fixed",
    object: "object",
    list: `list of ${field.items === undefined ? "anything" : inWords(fieldOf(field.items, root), root)}`,
    union: `one of ${field.options.length} kinds`,
    json: "JSON",
  };
  const bounds =
    kind === "text"
      ? between(schema.minLength, schema.maxLength, "characters")
      : kind === "list"
        ? between(schema.minItems, schema.maxItems, "items")
        : between(schema.minimum, schema.maximum, "");
  return [
    words[kind],
    ...(bounds === "" ? [] : [bounds]),
    ...(field.isNullable && field.fallback !== null && kind !== "json" ? ["or null"] : []),
  ].join(", ");
}

function between(least: unknown, most: unknown, unit: string): string {
  const text = (value: unknown) => String(value as number);
  const behind = unit === "" ? "" : ` ${unit}`;
  if (typeof least === "number" && least > 0 && typeof most === "number")
    return `${text(least)} to ${text(most)}${behind}`;
  if (typeof most === "number")
    return typeof least === "number"
      ? `${text(least)} to ${text(most)}${behind}`
      : `at most ${text(most)}${behind}`;
  return typeof least === "number" && (least > 1 || unit === "") ? `at least ${text(least)}${behind}` : "";
}

/** What an alternative of a union is called: its title, what it is known by, or its type. */
export function nameOf(schema: unknown, root: unknown): string {
  const found = resolved(schema, root);
  const field = fieldOf(schema, root);
  const mark = Object.values(objectOf(found.properties))
    .map((each) => resolved(each, root).const)
    .find((value) => typeof value === "string");
  return textOf(found.title) ?? (mark as string | undefined) ?? inWords(field, root);
}

const MOST_DEPTH = 8;

/** What a new value of a schema begins with: constants, and objects that have to be there. Defaults are the task's. */
export function blank(schema: unknown, root: unknown, depth = 0): Draft | undefined {
  const field = fieldOf(schema, root);
  if (field.kind === "constant") return field.values[0] as Draft;
  if (field.kind !== "object" || depth > MOST_DEPTH) return undefined;
  const parts = field.properties
    .filter(({ isRequired }) => isRequired)
    .map(({ name, schema: each }) => [name, blank(each, root, depth + 1)] as const);
  return Object.fromEntries(parts.filter(([, value]) => value !== undefined)) as Draft;
}

function kindOf(
  schema: Keywords,
  options: readonly unknown[] | null,
  isConstrained: boolean,
  hasLabels: boolean,
): Kind {
  if ("const" in schema) return "constant";
  if (Array.isArray(schema.enum) || hasLabels) return "choice";
  if (options !== null && !isConstrained) return "union";
  const types = typesOf(schema);
  if (types.length > 1) return "union";
  switch (types[0] ?? (isObject(schema.properties) ? "object" : undefined)) {
    case "string":
      return schema.format === "date" ? "date" : schema.format === "date-time" ? "datetime" : "text";
    case "integer":
      return "integer";
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "array":
      return isObject(schema.items) && Object.keys(schema.items).length > 0 && !("prefixItems" in schema)
        ? "list"
        : "json";
    case "object":
      return isObject(schema.properties) || isObject(schema.additionalProperties) ? "object" : "json";
    default:
      return "json";
  }
}

/** A schema without the null that it allows beside something else. */
function withoutNull(schema: Keywords, root: unknown): { inner: Keywords; isNullable: boolean } {
  const types = typesOf(schema);
  if (types.length > 1 && types.includes("null"))
    return { inner: { ...schema, type: types.filter((type) => type !== "null") }, isNullable: true };
  for (const keyword of ["anyOf", "oneOf"] as const) {
    const parts = schema[keyword];
    if (!Array.isArray(parts)) continue;
    const others = parts.filter((part) => !isNull(resolved(part, root)));
    if (others.length === parts.length) continue;
    const outer = Object.fromEntries(Object.entries(schema).filter(([name]) => name !== keyword));
    return {
      inner:
        others.length === 1 ? { ...resolved(others[0], root), ...outer } : { ...outer, [keyword]: others },
      isNullable: true,
    };
  }
  return { inner: schema, isNullable: false };
}

function isNull(schema: Keywords): boolean {
  return schema.type === "null" || ("const" in schema && schema.const === null);
}

function alternativesOf(schema: Keywords): readonly unknown[] | null {
  const found = schema.oneOf ?? schema.anyOf;
  return Array.isArray(found) && found.length > 0 ? found : null;
}

/** The sets of properties that alternatives ask for, if that is all that they do; null: they are more. */
function requiredSets(
  schema: Keywords,
  options: readonly unknown[],
  root: unknown,
): readonly (readonly string[])[] | null {
  const known = objectOf(schema.properties);
  const sets = options.map((option) => {
    const part = resolved(option, root);
    const isPlain = Object.keys(part).every((keyword) =>
      ["properties", "required", "title", "type"].includes(keyword),
    );
    const isOfKnown = Object.keys(objectOf(part.properties)).every((name) => name in known);
    const needed = stringsOf(part.required);
    return isPlain && isOfKnown && needed.length > 0 && needed.every((name) => name in known) ? needed : null;
  });
  return sets.every((set) => set !== null) ? sets : null;
}

/** The constants of alternatives that are nothing else; null: they are more. */
function constantsOf(options: readonly unknown[], root: unknown): Json[] | null {
  const parts = options.map((option) => resolved(option, root));
  return parts.every((part) => "const" in part) ? parts.map((part) => part.const as Json) : null;
}

function merged(one: Keywords, other: Keywords): Keywords {
  return {
    ...other,
    ...one,
    ...("properties" in one || "properties" in other
      ? {
          properties: {
            ...objectOf(one.properties),
            ...objectOf(other.properties),
            ...objectOf(one.properties),
          },
        }
      : {}),
    ...("required" in one || "required" in other
      ? { required: [...stringsOf(one.required), ...stringsOf(other.required)] }
      : {}),
  };
}

/** What a `$ref` within the schema names, by its JSON pointer. */
function pointed(ref: string, root: unknown): unknown {
  if (!ref.startsWith("#")) return undefined;
  const steps = ref
    .slice(1)
    .split("/")
    .slice(1)
    .map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));
  return steps.reduce<unknown>(
    (found, step) => (typeof found === "object" && found !== null ? (found as Keywords)[step] : undefined),
    root,
  );
}

export function typesOf(schema: Keywords): readonly string[] {
  const given = Array.isArray(schema.type) ? schema.type : [schema.type];
  return given.filter((type) => TYPES.some((known) => known === type)) as string[];
}

export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

export function stringsOf(value: unknown): string[] {
  return listOf(value).filter((each) => typeof each === "string");
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
