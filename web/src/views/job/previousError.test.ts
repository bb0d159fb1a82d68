import type { HistoryEntry } from "@/api/types";
import { expect, test } from "vitest";
import { previousError } from "./previousError";

const AT = "2026-11-29T12:00:00Z";
const entry = (step: HistoryEntry["step"], more: Partial<HistoryEntry> = {}): HistoryEntry => ({
  step,
  at: AT,
  run: 1,
  inferred: false,
  ...more,
});
const failed = entry("failed", { attempt: 0, reason: "ValueError: no VAT: see rule 7", worker: "w1" });

test("the error of the attempt before stays while the next one waits or runs", () => {
  const history = [
    entry("started"),
    entry("retrying", { attempt: 0, reason: "TimeoutError: first" }),
    entry("started", { attempt: 1 }),
    entry("retrying", { attempt: 1, reason: "ConnectionError: refused" }),
  ];
  expect(previousError(history, "retrying")).toMatchObject({
    of: "attempt 2",
    type: "ConnectionError",
    message: "refused",
    worker: null,
  });
  expect(previousError([...history, entry("started", { attempt: 2 })], "running")?.of).toBe("attempt 2");
  expect(previousError(history, "failed")).toBeNull();
});

test("the error of the run before stays while the next one is pending", () => {
  const history = [entry("started"), failed, entry("relaunched", { run: 2 })];
  const found = previousError(history, "pending");
  expect([found?.of, found?.message, found?.worker]).toEqual([
    "run 1, attempt 1",
    "no VAT: see rule 7",
    "w1",
  ]);
});

test("a reason that names no type stands as it is", () => {
  const [type, message] = [previousError([entry("retrying", { reason: "Retry in 5 s" })], "retrying")].map(
    (each) => [each?.type, each?.message],
  )[0] as [string, string];
  expect([type, message]).toEqual(["Retry in 5 s", ""]);
  expect(previousError([entry("started")], "running")).toBeNull();
});
