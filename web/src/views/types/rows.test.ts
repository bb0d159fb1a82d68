import type { JobType, Schemas } from "@/api/types";
import { expect, test } from "vitest";
import { arranged, rowsOf } from "./rows";

const figures = (count: number) =>
  ({ count, success_rate: count / 10, run: {}, wait: {} }) as Schemas["Performance"];
const type = (name: string) => ({ name }) as JobType;
const ROWS = rowsOf(
  [type("mail"), type("idle")],
  { mail: figures(3), gone: figures(5) },
  { mail: 9, old: 1, idle: 0 },
);

test("what is announced, what ended and what is stored are joined by name", () => {
  expect(ROWS.map(({ name, jobs, type: known }) => [name, jobs, known !== null])).toEqual([
    ["mail", 9, true],
    ["idle", 0, true],
    ["gone", 0, false],
    ["old", 1, false],
  ]);
  expect(rowsOf([], { a: figures(1) }, undefined)[0]?.jobs).toBeNull();
});

test("rows are ordered by a column, what is not known last", () => {
  const order = (sort: string, part = "") => arranged(ROWS, part, sort).map(({ name }) => name);
  expect(order("name")).toEqual(["gone", "idle", "mail", "old"]);
  expect(order("-settled")).toEqual(["gone", "mail", "idle", "old"]);
  expect(order("settled")).toEqual(["mail", "gone", "idle", "old"]);
  expect(order("nothing known", "O")).toEqual(["gone", "old"]);
});
