import { expect, test } from "vitest";
import { type AxisLabel, fitting } from "./axisLabels";

const tick = (x: number): AxisLabel => ({ x, text: "10:26:14", kind: "tick" });
const pause = (x: number): AxisLabel => ({ x, text: "2.2 s later", kind: "pause" });
const shown = (labels: readonly AxisLabel[], width: number) =>
  fitting(labels, width).map(({ kind, x }) => `${kind} ${x}`);

test("labels that have room all stand there, in their order", () => {
  expect(shown([tick(0), tick(0.5), pause(0.3)], 600)).toEqual(["tick 0", "pause 0.3", "tick 0.5"]);
});

test("a tick gives way to the length of a pause", () => {
  expect(shown([tick(0), pause(0.11), tick(0.22)], 560)).toEqual(["pause 0.11", "tick 0.22"]);
});

test("of labels upon each other the first stays, and none leaves the axis", () => {
  expect(shown([tick(0.1), tick(0.12), tick(0.95)], 400)).toEqual(["tick 0.1"]);
  expect(shown([pause(0.01)], 400)).toEqual([]);
});
