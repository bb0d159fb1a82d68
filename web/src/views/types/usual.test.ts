import { expect, test } from "vitest";
import { usualIfWorse, usualWindow } from "./usual";

const whole = { completed: 9_950, failed: 50 };

test("a share that is as usual does not stand out, however low it is", () => {
  const usually = { completed: 959, failed: 41 };
  expect(usualIfWorse({ completed: 94, failed: 6 }, usually)).toBeNull();
  expect(usualIfWorse({ completed: 0, failed: 2 }, whole)).toBeNull(); // two failures are chance
  expect(usualIfWorse(null, whole)).toBeNull();
});

test("a share that is much worse than before stands out, with the usual one", () => {
  const now = { completed: 90, failed: 10 };
  expect(usualIfWorse(now, whole)).toBeCloseTo(9_860 / 9_900);
});

test("without a time before there is nothing usual", () => {
  const now = { completed: 50, failed: 50 };
  expect(usualIfWorse(now, now)).toBeNull();
  expect(usualIfWorse(now, undefined)).toBeNull();
  expect([usualWindow(undefined), usualWindow("1h"), usualWindow("7d"), usualWindow("31d")]).toEqual([
    "7d",
    "7d",
    "31d",
    null,
  ]);
});
