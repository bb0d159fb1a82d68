import { expect, test } from "vitest";
import { timeScale } from "./timeScale";

test("without a long pause the axis is linear", () => {
  const { x, pauses } = timeScale([{ from: 0, to: 100 }], 0, 100);
  expect([x(-5), x(0), x(25), x(100), x(130)]).toEqual([0, 0, 0.25, 1, 1]);
  expect(pauses).toEqual([]);
});

test("a pause of an hour leaves room for what ran for seconds", () => {
  const { x, pauses } = timeScale(
    [
      { from: 0, to: 10 },
      { from: 3600, to: 3610 },
    ],
    0,
    3610,
  );
  expect(pauses).toHaveLength(1);
  expect(pauses[0]).toMatchObject({ from: 10, to: 3600 });
  expect(x(10) - x(0)).toBeCloseTo(10 / 28);
  expect(x(3600) - x(10)).toBeCloseTo(8 / 28);
});

test("executions that overlap are one span, and order is kept", () => {
  const { x } = timeScale(
    [
      { from: 5, to: 20 },
      { from: 0, to: 10 },
      { from: 900, to: 905 },
    ],
    0,
    1000,
  );
  const places = [0, 5, 20, 500, 900, 905, 1000].map(x);
  expect([...places].sort((a, b) => a - b)).toEqual(places);
});

test("a job that only waits has an axis too", () => {
  expect(timeScale([], 10, 10).x(10)).toBe(0);
  expect(timeScale([], 0, 50).x(25)).toBe(0.5);
});
