import { expect, test } from "vitest";
import { trackFor } from "./room";

const BOUNDS = { least: 40, most: 320 };

test("a column that has nothing to say is as wide as its head", () => {
  expect(trackFor([], BOUNDS)).toBe("40px");
  expect(trackFor(["", "eu"], BOUNDS)).toBe("40px");
});

test("a column gets room by its longest text, within bounds", () => {
  expect(trackFor(["0123456789", ""], BOUNDS)).toBe("minmax(40px, 80px)");
  expect(trackFor(["x".repeat(400)], BOUNDS)).toBe("minmax(40px, 320px)");
});
