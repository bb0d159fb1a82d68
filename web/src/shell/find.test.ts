import { expect, test } from "vitest";
import { fits, idIn, isPartOfId, typesWith } from "./find";

test("a whole id is one, in any case; a part of one or a name is none", () => {
  expect(idIn("B5E4BDAC-d0c7-44e7-883f-f5a849264401")).toBe("b5e4bdac-d0c7-44e7-883f-f5a849264401");
  expect([idIn("b5e4bdac"), idIn("invoice")]).toEqual([null, null]);
});

test("a part of an id is told from a word and from a whole id", () => {
  expect(["b5e4bdac", "b5e4bdac-d0c7-44e7-88", "849264401"].map(isPartOfId)).toEqual([true, true, true]);
  expect(["decade", "face-b", "page_9f3", "b5e4", ""].map(isPartOfId)).not.toContain(true);
  expect(isPartOfId("b5e4bdac-d0c7-44e7-883f-f5a849264401")).toBe(false);
});

test("types are found by a part of their name, each once, those that begin so first", () => {
  const names = ["page_ocr", "ocr", "invoice_issue", "ocr"];
  expect(typesWith(names, "OCR")).toEqual(["ocr", "page_ocr"]);
  expect(typesWith(names, "issue inv")).toEqual(["invoice_issue"]);
  expect(typesWith(names, "")).toEqual([]);
  expect(fits("Go to Workers", "work")).toBe(true);
});
