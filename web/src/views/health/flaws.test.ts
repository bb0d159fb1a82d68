import { expect, test } from "vitest";
import { leftOf, previewOf } from "./flaws";

const group = (flaw: "stray" | "unknown", count: number, repaired: number) => ({
  flaw,
  where: "status:failed",
  count,
  repaired,
  examples: [],
});

test("a preview has what is left to mend, and what no repair mends", () => {
  const groups = [group("stray", 3, 1), group("stray", 2, 2), group("unknown", 1, 0)];
  const { mended, kept } = previewOf(groups);
  expect([mended, kept]).toEqual([[groups[0]], [groups[2]]]);
});

test("differences are left until they are repaired", () => {
  expect(leftOf(null)).toBe(0);
  expect(leftOf({ differences: [group("stray", 3, 1), group("unknown", 1, 0)] } as never)).toBe(3);
});
