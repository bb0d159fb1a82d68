import { expect, test } from "vitest";
import { jsonProblem, lineOf, placesOf } from "./jsonPlaces";

const TEXT = JSON.stringify({ "a b": 'x, "}', lines: [{ price: 1 }, { price: [] }], last: null }, null, 2);

test("each part has its line", () => {
  const places = placesOf(TEXT);
  const lines = TEXT.split("\n");
  const found = (path: string) => lines[lineOf(places, path) - 1]?.trim();
  expect(found("a b")).toContain('"a b"');
  expect(found("lines.1.price")).toBe('"price": []');
  expect(found("last")).toBe('"last": null');
});

test("a field that is missing is shown at what should have it", () => {
  const places = placesOf(TEXT);
  expect(lineOf(places, "lines.0.vat")).toBe(lineOf(places, "lines.0"));
  expect(lineOf(places, "nobody")).toBe(1);
});

test("a text that is not JSON says so at its line", () => {
  expect(jsonProblem(TEXT)).toBeNull();
  expect(jsonProblem('{\n  "a": 1,\n  oops\n}')?.line).toBe(3);
  expect(jsonProblem("")?.line).toBe(1);
});
