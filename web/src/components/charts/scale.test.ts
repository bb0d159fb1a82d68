import { expect, test } from "vitest";
import { countScale, durationScale, linePath, nearest } from "./scale";

test("durations stand between lines that people know", () => {
  const scale = durationScale([
    [0.4, null, 2],
    [90, 200],
  ]);
  expect(scale?.ticks).toEqual([0.1, 1, 10, 60, 600]);
  expect(scale?.place(0.1)).toBe(1);
  expect(scale?.place(600)).toBe(0);
  expect(scale?.place(1e9)).toBe(0);
});

test("a scale of equal durations still has two lines, and one of none is none", () => {
  expect(durationScale([[1, 1]])?.ticks).toEqual([1, 10]);
  expect(durationScale([[0]])?.ticks).toEqual([0.001, 0.01]);
  expect(durationScale([[null]])).toBeNull();
});

test("counts end at a round number", () => {
  expect(countScale([0, 0]).ticks).toEqual([0, 1]);
  expect(countScale([37]).ticks).toEqual([0, 25, 50]);
  expect(countScale([120, 7]).ticks).toEqual([0, 100, 200]);
});

test("a line has gaps where nothing is known, and shows a value that stands alone", () => {
  const scale = countScale([10]);
  expect(linePath([10, 0, null, 5], scale, 100)).toBe("M0.0 0.0L333.3 100.0M984.0 50.0h16");
  expect(linePath([5], scale, 100)).toBe("M492.0 50.0h16");
  expect(linePath([], scale, 100)).toBe("");
});

test("the nearest point is one of the points", () => {
  expect([nearest(-0.2, 5), nearest(0.49, 5), nearest(2, 5)]).toEqual([0, 2, 4]);
});
