import { describe, expect, test } from "vitest";
import { optionOf, problemsOf } from "./check";
import { type Draft, firstUnreadable, getAt, jsonOf, numberOf, payloadOf, setAt, Unreadable } from "./draft";
import { bodyOf, curlOf, type NewJob, python, pythonOf } from "./request";
import { blank, fieldOf, inWords, nameOf } from "./schema";

/** As pydantic writes it: references, nullable fields, alternatives, a union that nests without an end. */
const SCHEMA = {
  type: "object",
  additionalProperties: false,
  oneOf: [
    { properties: { text: { type: "string" } }, required: ["text"] },
    { properties: { document_id: { type: "string" } }, required: ["document_id"] },
  ],
  properties: {
    text: { anyOf: [{ type: "string" }, { type: "null" }], default: null, title: "Text" },
    document_id: { anyOf: [{ type: "string", maxLength: 5 }, { type: "null" }], default: null },
    analysis_type: { $ref: "#/$defs/Analysis", default: "full" },
    pages: { type: "integer", minimum: 1, maximum: 500 },
    ratio: { type: "number", exclusiveMinimum: 0 },
    day: { type: "string", format: "date" },
    is_urgent: { type: "boolean", default: true },
    languages: { type: "array", items: { type: "string", minLength: 2 }, maxItems: 2, uniqueItems: true },
    where: { $ref: "#/$defs/Condition" },
    options: { type: "object", properties: { depth: { type: "integer" } }, required: ["depth"] },
    labels: { type: "object", additionalProperties: { type: "string" } },
    anything: {},
  },
  required: ["pages", "options"],
  $defs: {
    Analysis: { enum: ["full", "summary"], type: "string" },
    Condition: { anyOf: [{ $ref: "#/$defs/Is" }, { $ref: "#/$defs/All" }] },
    Is: {
      title: "Is",
      type: "object",
      properties: { op: { const: "is" }, column: { type: "string" } },
      required: ["op", "column"],
      additionalProperties: false,
    },
    All: {
      type: "object",
      properties: { op: { const: "all" }, of: { type: "array", items: { $ref: "#/$defs/Condition" } } },
      required: ["op", "of"],
      additionalProperties: false,
    },
  },
};

const PROPERTIES = SCHEMA.properties as Record<string, unknown>;
const field = (name: string) => fieldOf(PROPERTIES[name], SCHEMA);
const FITTING: Draft = {
  text: "Ferries",
  analysis_type: "summary",
  pages: 3,
  options: { depth: 1 },
  where: { op: "all", of: [{ op: "is", column: "a" }] },
};
const wrong = (change: { [name: string]: Draft }) =>
  problemsOf({ ...(FITTING as { [name: string]: Draft }), ...change }, SCHEMA).map(
    ({ path, message }) => `${path.join(".")}: ${message}`,
  );

describe("a schema as fields", () => {
  test("each kind is known", () => {
    const kinds = Object.keys(PROPERTIES).map((name) => [name, field(name).kind]);
    expect(Object.fromEntries(kinds)).toEqual({
      text: "text",
      document_id: "text",
      analysis_type: "choice",
      pages: "integer",
      ratio: "number",
      day: "date",
      is_urgent: "boolean",
      languages: "list",
      where: "union",
      options: "object",
      labels: "object",
      anything: "json",
    });
  });

  test("what stands beside a reference, and null beside a type, are taken over", () => {
    expect(field("analysis_type").fallback).toBe("full");
    expect(field("text").isNullable).toBe(true);
    expect(field("pages").isNullable).toBe(false);
    expect(inWords(field("pages"), SCHEMA)).toBe("whole number, 1 to 500");
    expect(inWords(field("languages"), SCHEMA)).toBe("list of text, at least 2 characters, at most 2 items");
  });

  test("alternatives that only ask for properties are a choice between these", () => {
    expect(fieldOf(SCHEMA, SCHEMA).alternatives).toEqual([["text"], ["document_id"]]);
  });

  test("alternatives have names, and a new one has its constants", () => {
    const { options } = field("where");
    expect(options.map((option) => nameOf(option, SCHEMA))).toEqual(["Is", "all"]);
    expect(options.map((option) => blank(option, SCHEMA))).toEqual([{ op: "is" }, { op: "all" }]);
  });

  test("a new payload has what has to be there, and no defaults", () => {
    expect(blank(SCHEMA, SCHEMA)).toEqual({ options: {} });
  });

  test("a schema that refers to itself, or to nothing, ends", () => {
    const loop = { $ref: "#/$defs/A", $defs: { A: { $ref: "#/$defs/A" } } };
    expect(fieldOf(loop, loop).kind).toBe("json");
    expect(fieldOf({ $ref: "#/nowhere" }, {}).kind).toBe("json");
    const nest = { type: "object", properties: { in: { $ref: "#" } }, required: ["in"] };
    expect(JSON.stringify(blank(nest, nest)).length).toBeLessThan(200);
    expect(fieldOf(true, {}).kind).toBe("json");
  });

  test("allOf is one object, and several types are a union", () => {
    const both = { allOf: [{ properties: { a: {} }, required: ["a"] }, { properties: { b: {} } }] };
    expect(fieldOf(both, both).properties.map(({ name, isRequired }) => [name, isRequired])).toEqual([
      ["a", true],
      ["b", false],
    ]);
    expect(fieldOf({ type: ["string", "integer"] }, {}).options).toHaveLength(2);
  });
});

describe("a draft", () => {
  test("of any payload is that payload again", () => {
    for (const payload of [FITTING, { a: [1, { b: null }], c: "" }, {}])
      expect(payloadOf(payload)).toEqual(payload);
    expect(jsonOf(JSON.stringify(FITTING))).toEqual(FITTING);
  });

  test("is changed at one place, in its order, without changing the old one", () => {
    const next = setAt(FITTING, ["where", "of", 1], { op: "is" });
    expect(getAt(next, ["where", "of", 1, "op"])).toBe("is");
    expect(getAt(FITTING, ["where", "of", 1])).toBeUndefined();
    expect(Object.keys(setAt(FITTING, ["pages"], 4) as object)).toEqual(Object.keys(FITTING as object));
    expect(setAt({ a: [1, 2, 3] }, ["a", 1], undefined)).toEqual({ a: [1, 3] });
    expect(setAt({ a: 1 }, ["a"], undefined)).toEqual({});
    expect(setAt(undefined, ["a", "b"], 1)).toEqual({ a: { b: 1 } });
    expect(Object.keys(setAt({}, ["__proto__"], 1) as object)).toEqual(["__proto__"]);
  });

  test("with something that can't be read is not sent", () => {
    const draft = { list: [1, numberOf("1x", false)] } as Draft;
    expect(payloadOf(draft)).toBeNull();
    expect(firstUnreadable(draft)).toEqual({ path: ["list", 1], problem: "It is not a number." });
  });

  test.each([
    ["", undefined],
    [" 12 ", 12],
    ["-1.5e3", -1500],
    [".5", 0.5],
  ])("the number %s is read", (typed, value) => {
    expect(numberOf(typed, false)).toBe(value);
  });

  test.each(["1.5", "0x10", "1e999", "9007199254740993", "NaN"])(
    "the whole number %s is refused",
    (typed) => {
      expect(numberOf(typed, true)).toBeInstanceOf(Unreadable);
    },
  );

  test("JSON with a number that a browser would round is refused", () => {
    expect(jsonOf('{"id": 9007199254740993}')).toBeInstanceOf(Unreadable);
    expect(jsonOf('{"id": "9007199254740993", "n": 0.1}')).toEqual({ id: "9007199254740993", n: 0.1 });
    expect(jsonOf("{")).toBeInstanceOf(Unreadable);
  });
});

describe("what does not fit", () => {
  test("is nothing where all fits", () => {
    expect(wrong({})).toEqual([]);
    expect(
      wrong({ is_urgent: false, day: "2026-11-29", labels: { a: "b" }, anything: [null], ratio: 0.5 }),
    ).toEqual([]);
  });

  test.each<[{ [name: string]: Draft }, string]>([
    [{ pages: 640 }, "pages: 640 is more than 500."],
    [{ pages: 1.5 }, "pages: It has to be a whole number."],
    [{ ratio: 0 }, "ratio: It has to be more than 0."],
    [{ analysis_type: "half" }, "analysis_type: It has to be one of full, summary."],
    [{ languages: ["d"] }, "languages.0: It has 1 of at least 2 characters."],
    [{ languages: ["de", "de"] }, "languages: Two of its items are the same."],
    [{ options: {} }, "options.depth: It is required."],
    [{ other: 1 }, "other: The schema does not have it: remove it."],
    [{ labels: { a: 1 } }, "labels.a: It has to be text."],
    [{ document_id: "d" }, ": Give only one of text, or document_id."],
    [{ where: { op: "all", of: [{ op: "is" }] } }, "where.of.0.column: It is required."],
    [{ where: 1 }, "where: It has to be one of: Is, all."],
    [{ text: null }, ": Give text, or document_id."],
    [{ pages: new Unreadable("x", "It is not a number.") }, "pages: It is not a number."],
  ])("%j is told at its place", (change, problem) => {
    expect(wrong(change)).toEqual([problem]);
  });

  test("a value is the alternative that it fits, or is most like", () => {
    const { options } = field("where");
    expect(optionOf({ op: "all" }, options, SCHEMA)).toBe(1);
    expect(optionOf({ op: "is", column: 1 }, options, SCHEMA)).toBe(0);
    expect(optionOf(undefined, options, SCHEMA)).toBe(-1);
  });

  test("a long list is looked at for a bounded time", () => {
    const many = Array.from({ length: 200_000 }, () => "x");
    expect(
      problemsOf({ list: many }, { properties: { list: { type: "array", items: { type: "integer" } } } })
        .length,
    ).toBe(50);
  });
});

describe("a request", () => {
  const job: NewJob = {
    job_type: "mail's",
    payload: { text: "it's", ok: true, none: null, list: ["a".repeat(40), "b".repeat(40)] },
    name: "",
    priority: "high",
    tags: [],
    start: true,
  };

  test("leaves out what is as usual", () => {
    expect(bodyOf(job)).toEqual({ job_type: "mail's", payload: job.payload, priority: "high", start: true });
  });

  test("is a command that a shell takes as one", () => {
    expect(curlOf({ ...job, payload: { text: "it's" } }, "http://x")).toContain(`"text": "it'\\''s"`);
  });

  test("is Python", () => {
    expect(python({ a: [true, null, 1.5], b: "x\n" })).toBe('{"a": [True, None, 1.5], "b": "x\\n"}');
    expect(pythonOf(job, "http://x")).toContain('priority="high",\n        start=True,\n    )');
  });
});
