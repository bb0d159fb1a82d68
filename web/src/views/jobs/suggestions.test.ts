import { expect, test } from "vitest";
import { suggestionsFor } from "./suggestions";

const known = {
  values: {
    type: [
      ["invoice", "12 jobs"],
      ["mail", "3 jobs"],
    ],
    status: [["failed", "2 jobs"]],
  },
  used: new Set<string>(),
} as const;
const texts = (word: string, of = {}) => suggestionsFor(word, { ...known, ...of }).map(({ text }) => text);

test("an empty word offers the qualifiers that are not used yet", () => {
  expect(texts("")).toContain("status:");
  expect(texts("", { used: new Set(["status"]) })).not.toContain("status:");
});

test("after a qualifier its values are offered, by any part of them", () => {
  expect(texts("type:")).toEqual(["type:invoice", "type:mail"]);
  expect(texts("type:oic")).toEqual(["type:invoice"]);
  expect(texts("priority:h")).toEqual(["priority:high"]);
});

test("a plain word offers values and qualifiers that it may mean", () => {
  expect(texts("inv")).toEqual(["type:invoice"]);
  expect(texts("sta")).toEqual(["status:"]);
});

test("saved filters come first, and stand for a whole filter", () => {
  const [first] = suggestionsFor("stu", { ...known, saved: [["stuck", "status:pending until:10m"]] });
  expect(first).toMatchObject({ text: "stuck", filter: "status:pending until:10m" });
});
