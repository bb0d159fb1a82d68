import { expect, test } from "vitest";
import type { JobSummary, JobType } from "@/api/types";
import { hindrance, notesOf, sharesOf } from "./bulk";
import { csvOf } from "./csv";
import { hindranceOf, unannounced } from "./unannounced";

const ASK = { reason: "", terminate: false };
const job = (fields: Partial<JobSummary>): JobSummary =>
  ({
    id: "1",
    status: "pending",
    run: 1,
    queued_at: "2026-11-29T12:00:00Z",
    double_runs: 0,
    losses: 0,
    ...fields,
  }) as JobSummary;
const said = (...given: Parameters<typeof sharesOf>) =>
  sharesOf(...given).map(({ jobs, text, doable }) => [jobs.length, text, doable]);

test("cancel says what happens in each state, and what can't be done last", () => {
  const jobs = [
    job({ status: "completed" }),
    job({ status: "running" }),
    job({}),
    job({}),
    job({ queued_at: null, run: 0 }),
    job({ status: "retrying" }),
  ];
  expect(said("cancel", jobs, ASK)).toEqual([
    [2, "wait: cancelled at once, they never run", true],
    [1, "run: asked to stop", true],
    [1, "were not started: cancelled at once", true],
    [1, "are between two attempts: the next one does not run", true],
    [1, "have ended already: they stay as they are", false],
  ]);
  expect(said("cancel", [job({ status: "running" })], { reason: "", terminate: true })).toEqual([
    [1, "run: killed now, their work so far is thrown away", true],
  ]);
});

test("retry runs only what has failed or was cancelled; delete removes only what has ended or never began", () => {
  const jobs = [
    job({ status: "completed" }),
    job({ status: "failed" }),
    job({ status: "cancelled" }),
    job({}),
  ];
  expect(said("retry", jobs, ASK).map(([, , doable]) => doable)).toEqual([true, true, false, false]);
  expect(said("delete", jobs, ASK).map(([, , doable]) => doable)).toEqual([true, true, true, false]);
});

test("it warns of what may be done twice, and of what lies below", () => {
  expect(notesOf("retry", [job({ status: "failed", double_runs: 1 })])[0]).toMatch(/^1 job had an execution/);
  const counts = { total: 7, completed: 4, failed: 0, cancelled: 0 };
  expect(notesOf("cancel", [job({ sub_job_counts: counts })])[0]).toMatch(/^3 sub-jobs below/);
});

test("over a hundred jobs their number is typed", () => {
  expect(hindrance(100, "")).toBeNull();
  expect(hindrance(101, "")).not.toBeNull();
  expect(hindrance(1101, "1,101")).toBeNull();
  expect(hindrance(0, "0")).not.toBeNull();
});

test("a retry warns of types that no worker announces, of custom jobs by their tasks", () => {
  const types = [
    { name: "custom", task: "" },
    { name: "mail", task: "tasks.mail" },
  ] as JobType[];
  const jobs = [
    { job_type: "mail", task: "tasks.mail" },
    { job_type: "custom", task: "tasks.mail" },
    { job_type: "custom", task: "tasks.gone" },
    { job_type: "invoice", task: "tasks.invoice" },
  ];
  expect(unannounced(jobs, types)).toEqual(["invoice", "tasks.gone"]);
  expect(hindranceOf(["invoice"])).toBe(
    "No worker announces invoice: such a job would wait in its queue, or fail at once.",
  );
  expect(hindranceOf(["a", "b", "c", "d"])).toMatch(/a, b, c, and of 1 more types/);
  expect(hindranceOf([])).toBeNull();
});

test("CSV quotes, and takes the power out of formulas", () => {
  expect(csvOf([["a,b", 'say "x"', "=1+1"]])).toBe('"a,b","say ""x""",\'=1+1\r\n');
});
