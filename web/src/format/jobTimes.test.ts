import { expect, test } from "vitest";
import { openSubJobs, ranSeconds, waitedSeconds } from "./jobTimes";

const NOW = Date.parse("2026-11-29T12:01:00Z");
const at = (second: number) => `2026-11-29T12:00:${String(second).padStart(2, "0")}Z`;
const job = { status: "pending", due_at: at(10), status_changed_at: at(10) };

test("a job that has not begun has waited until now, or until it was cancelled", () => {
  expect([waitedSeconds(job, NOW), ranSeconds(job, NOW)]).toEqual([50, null]);
  expect(waitedSeconds({ ...job, finished_at: at(15) }, NOW)).toBe(5);
  expect(waitedSeconds({ ...job, due_at: null }, NOW)).toBeNull();
});

test("a job that waits for its next attempt does not run", () => {
  const begun = { ...job, started_at: at(20), status_changed_at: at(23) };
  expect(ranSeconds({ ...begun, status: "running" }, NOW)).toBe(40);
  expect(ranSeconds({ ...begun, status: "retrying" }, NOW)).toBe(3);
  expect(waitedSeconds(begun, NOW)).toBe(10);
});

test("a running parent waits for the sub-jobs that have not ended", () => {
  const counts = { total: 6, completed: 3, failed: 1, cancelled: 0 };
  expect(openSubJobs({ status: "running", sub_job_counts: counts })).toBe(2);
  expect(openSubJobs({ status: "failed", sub_job_counts: counts })).toBe(0);
  expect(openSubJobs({ status: "running", sub_job_counts: null })).toBe(0);
});
