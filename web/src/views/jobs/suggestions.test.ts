import { expect, test } from "vitest";
import { lastWord, suggestionsFor } from "./suggestions";

const known = {
  qualifiers: [
    ["status", "the status"],
    ["started", "when"],
    ["type", "a job type"],
  ],
  suggested: [
    ["failed", "2 jobs"],
    ["cancelled", "1 job"],
  ],
  values: {
    type: [
      ["invoice", "12 jobs"],
      ["mail", "3 jobs"],
    ],
  },
  used: new Set<string>(),
} as const;
const texts = (word: string, of = {}) => suggestionsFor(word, { ...known, ...of }).map(({ text }) => text);

test("an empty word offers the qualifiers that are not used yet", () => {
  expect(texts("")).toEqual(["status:", "started:", "type:"]);
  expect(texts("", { used: new Set(["status"]) })).toEqual(["started:", "type:"]);
});

test("after a qualifier what the API suggests is offered, for each of its values", () => {
  expect(texts("status:")).toEqual(["status:failed", "status:cancelled"]);
  expect(texts("-status:failed,c")).toEqual(["-status:failed,failed", "-status:failed,cancelled"]);
  expect(texts("status:failed")).toEqual(["status:cancelled"]);
});

test("a plain word offers values and qualifiers that it may mean", () => {
  expect(texts("inv")).toEqual(["type:invoice"]);
  expect(texts("-sta")).toEqual(["-status:", "-started:"]);
});

test("saved filters come first, and stand for a whole filter", () => {
  const [first] = suggestionsFor("stu", { ...known, saved: [["stuck", "status:pending until:10m"]] });
  expect(first).toMatchObject({ text: "stuck", filter: "status:pending until:10m" });
});

test("a word ends at a space that is in no quotes", () => {
  expect(["a type:inv", 'a tag:"b c', "a "].map(lastWord)).toEqual(["type:inv", 'tag:"b c', ""]);
});
