import { expect, test } from "vitest";
import { ticks } from "./ticks";

const MIDDAY = new Date(2026, 10, 24, 12, 0, 0).getTime();

test("ticks stand at round times, as many as fit", () => {
  const found = ticks(MIDDAY + 7_000, MIDDAY + 40 * 60_000, 8);
  expect(found.map(({ label }) => label)).toEqual([
    ...["12:05", "12:10", "12:15", "12:20", "12:25", "12:30", "12:35", "12:40"],
  ]);
});

test("the closer, the more precise", () => {
  expect(ticks(MIDDAY, MIDDAY + 30_000, 4).map(({ label }) => label)).toEqual([
    "12:00:00",
    "12:00:10",
    "12:00:20",
    "12:00:30",
  ]);
  expect(ticks(MIDDAY, MIDDAY + 10, 3).map(({ label }) => label)).toEqual(["00.000", "00.005", "00.010"]);
  expect(ticks(MIDDAY, MIDDAY + 3 * 86_400_000, 4).map(({ label }) => label)).toEqual([
    "25 Nov",
    "26 Nov",
    "27 Nov",
  ]);
});

test("an axis without a length has none", () => {
  expect(ticks(5, 5, 4)).toEqual([]);
  expect(ticks(5, Number.NaN, 4)).toEqual([]);
});

test("an axis of years has no more than fit", () => {
  expect(ticks(0, MIDDAY, 10).length).toBeLessThanOrEqual(11);
});
