import type { HistoryEntry } from "@/api/types";
import { expect, test } from "vitest";
import { doneTwice, executionsOf, ledgerOf } from "./executions";

const at = (seconds: number) => new Date(1_790_000_000_000 + seconds * 1000).toISOString();

function entry(step: HistoryEntry["step"], seconds: number, more: Partial<HistoryEntry> = {}): HistoryEntry {
  return { step, at: at(seconds), run: 1, inferred: false, ...more };
}

const QUEUED = [entry("created", 0, { run: null }), entry("queued", 0)];

function told(history: readonly HistoryEntry[], status: "running" | "failed" | "completed" | "pending") {
  return executionsOf(history, status).map(({ attempt, worker, outcome, counts }) =>
    [attempt, worker, outcome, counts].join(" "),
  );
}

test("each attempt is an execution, and the last one counts", () => {
  const found = executionsOf(
    [
      ...QUEUED,
      entry("started", 1, { attempt: 0, worker: "w1" }),
      entry("retrying", 3, { attempt: 0, reason: "Timeout" }),
      entry("started", 9, { attempt: 1, worker: "w2" }),
      entry("completed", 10, { attempt: 1 }),
    ],
    "completed",
  );
  expect(found.map(({ outcome }) => outcome)).toEqual(["retrying", "completed"]);
  expect(found.map(({ waitedFrom }) => waitedFrom)).toEqual([Date.parse(at(0)), Date.parse(at(3))]);
  expect(ledgerOf(found)).toEqual({ began: 2, count: 1 });
  expect(found.some(({ isPast }) => isPast)).toBe(false);
  expect(doneTwice(found)).toEqual([]);
});

test("an execution that ended after the job does not count, and a retry would do it twice", () => {
  const found = executionsOf(
    [
      ...QUEUED,
      entry("started", 1, { attempt: 0, worker: "w1" }),
      entry("started", 60, { attempt: 0, worker: "w2" }),
      entry("failed", 70, { attempt: 0, worker: "w2" }),
      entry("ended_late", 80, { attempt: 0, worker: "w1", began_at: at(1), outcome: "completed" }),
    ],
    "failed",
  );
  expect(found.map(({ worker, outcome, counts, isAgain }) => [worker, outcome, counts, isAgain])).toEqual([
    ["w1", "completed", false, false],
    ["w2", "failed", true, true],
  ]);
  expect(ledgerOf(found)).toEqual({ began: 2, count: 1 });
  expect(doneTwice(found)).toHaveLength(1);
  expect(doneTwice(found)[0]).toContain("on w1");
});

test("one that began again after the end is another execution", () => {
  const history = [
    ...QUEUED,
    entry("started", 1, { attempt: 0, worker: "w1" }),
    entry("completed", 2, { attempt: 0 }),
    entry("started_again", 3, { attempt: 0, worker: "w2" }),
  ];
  expect(told(history, "completed")).toEqual(["0 w1 completed true", "0 w2  false"]);
});

test("a late end whose begin was not kept is all that is known of it", () => {
  const history = [
    ...QUEUED,
    entry("started", 5, { attempt: 0, worker: "w2" }),
    entry("completed", 6),
    entry("ended_late", 9, { worker: "w1", began_at: at(2), outcome: "failed" }),
  ];
  expect(told(history, "completed")).toEqual(["0 w2 completed true", " w1 failed false"]);
});

test("a lost worker is inferred, until it reports after all", () => {
  const lost = [...QUEUED, entry("started", 1, { worker: "w1" }), entry("failed", 9, { inferred: true })];
  expect(told(lost, "failed")).toEqual([" w1 lost true"]);
  expect(doneTwice(executionsOf(lost, "failed"))).toHaveLength(1);
  const corrected = [...lost, entry("corrected", 12), entry("completed", 12)];
  expect(told(corrected, "completed")).toEqual([" w1 completed true"]);
});

test("a job that waits has a last line that waits, and earlier runs do not count", () => {
  const history = [
    ...QUEUED,
    entry("started", 1, { attempt: 0, worker: "w1" }),
    entry("failed", 2),
    entry("queued", 20, { run: 2 }),
  ];
  const found = executionsOf(history, "pending");
  expect(found.map(({ run, from, counts }) => [run, from === null, counts])).toEqual([
    [1, false, false],
    [2, true, true],
  ]);
  expect(found.map(({ isPast }) => isPast)).toEqual([true, false]);
});
