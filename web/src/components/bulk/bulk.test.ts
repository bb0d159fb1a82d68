import { expect, test } from "vitest";
import type { BulkPreview, BulkRun } from "@/api/bulk";
import type { JobType } from "@/api/types";
import {
  aimText,
  confirmationOf,
  hindrance,
  lineOf,
  notesOf,
  type Options,
  previewOf,
  reasonsOf,
  requestOf,
  sharesOf,
  tagsOf,
  typesText,
} from "./bulk";
import { csvOf } from "./csv";
import { hindranceOf, unannounced } from "./unannounced";

const options = (given: Partial<Options> = {}): Options => ({
  action: "cancel",
  reason: "",
  tags: "",
  priority: "normal",
  ...given,
});
const preview = (given: Partial<BulkPreview> = {}): BulkPreview => ({
  action: "cancel",
  count: 5,
  is_exact: true,
  looked_at: 5,
  looked_to: null,
  below: 0,
  left_alone: 0,
  kinds: [],
  unannounced: [],
  sample: [],
  ...given,
});
const run = (given: Partial<BulkRun> = {}): BulkRun => ({
  id: "r",
  action: "delete",
  filter: null,
  ids: 3,
  asked_by: null,
  status: "running",
  reason: null,
  created_at: "2026-11-29T12:00:00Z",
  finished_at: null,
  total: 1200,
  looked_at: 400,
  done: 390,
  below: 0,
  left_alone: 0,
  refused: 10,
  ...given,
});
const SELECTED = { jobs: [{ id: "a" }, { id: "b" }] };

test("what is selected goes as ids, what matches as its filter, and no filter as all", () => {
  expect(requestOf(SELECTED, options({ reason: " late " }))).toEqual({
    action: "cancel",
    ids: ["a", "b"],
    reason: "late",
  });
  expect(requestOf({ filter: "status:failed" }, options({ action: "retry", reason: "x" }))).toEqual({
    action: "retry",
    filter: "status:failed",
    tz: Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
  expect(requestOf({ filter: " " }, options({ action: "untag", tags: "eu, late fees,eu," }))).toEqual({
    action: "untag",
    all: true,
    tags: ["eu", "late fees"],
  });
  expect(requestOf(SELECTED, options({ action: "reprioritise", priority: "high" })).priority).toBe("high");
});

test("a preview asks for nothing that is not said yet", () => {
  expect(previewOf(SELECTED, { action: "tag" }).tags).toHaveLength(1);
  expect(previewOf(SELECTED, { action: "reprioritise" }).priority).toBe("normal");
});

test("a preview says by status what happens, by type how many, and that there may be more", () => {
  const found = preview({
    count: 9,
    below: 2,
    kinds: [
      { status: "running", job_type: "a", count: 1 },
      { status: "pending", job_type: "a", count: 2 },
      { status: "pending", job_type: "b", count: 4 },
    ],
  });
  expect(sharesOf(found, "cancel").map(({ count, text }) => [count, text])).toEqual([
    [6, "wait, or are not started: cancelled at once, they never run"],
    [1, "run: asked to stop"],
  ]);
  expect(sharesOf(found, "terminate")[1]?.text).toMatch(/^run: killed now/);
  expect(sharesOf(found, "tag").map(({ text }) => text)).toEqual([
    "pending: get these tags",
    "running: get these tags",
  ]);
  expect(typesText(found)).toBe("b 4 · a 3");
  expect(aimText(found)).toBe("7 jobs");
  expect(aimText({ ...found, is_exact: false, below: null })).toBe("at least 9 jobs");
});

test("a retry warns of what may be done twice", () => {
  const sample = [{ double_runs: 1, losses: 0 }] as BulkPreview["sample"];
  expect(notesOf(preview({ sample }), "retry")[0]).toMatch(/look first/);
  expect(notesOf(preview(), "retry")).toHaveLength(1);
});

test("many are confirmed by their number; a delete and a whole filter by a sentence", () => {
  const many = preview({ count: 1101 });
  expect(confirmationOf(many, "cancel", SELECTED)).toEqual({ typed: "1,101" });
  expect(confirmationOf(preview(), "cancel", SELECTED)).toBeNull();
  expect(confirmationOf(preview(), "delete", SELECTED)).toEqual({ said: "Yes, delete 5 jobs for good" });
  expect(confirmationOf(preview(), "retry", { filter: "tag:eu" })).toEqual({
    said: "All that match the filter, also those that the list does not show",
  });
  const typed = confirmationOf(many, "cancel", SELECTED);
  const why = (text: string) => hindrance(many, options(), typed, { typed: text, said: false });
  expect([why("1,101"), why("1101")]).toEqual([null, null]);
  expect(why("110")).not.toBeNull();
  const said = confirmationOf(preview(), "delete", SELECTED);
  expect(hindrance(preview(), options(), said, { typed: "", said: false })).not.toBeNull();
  expect(hindrance(preview(), options(), said, { typed: "", said: true })).toBeNull();
});

test("nothing begins that would do nothing, or before it is known what it does", () => {
  const given = { typed: "", said: false };
  expect(hindrance(undefined, options(), null, given)).not.toBeNull();
  expect(hindrance(preview({ count: 0 }), options(), null, given)).not.toBeNull();
  expect(hindrance(preview(), options({ action: "tag" }), null, given)).toBe("Say which tags.");
  expect(hindrance(preview(), options({ action: "tag", tags: "eu" }), null, given)).toBeNull();
  expect(tagsOf(" , ")).toEqual([]);
});

test("a line says how far a bulk run is, and what became of it", () => {
  expect(lineOf(run())).toBe("Deleting: 400 of 1,200");
  expect(lineOf(run({ status: "completed" }))).toBe("390 of 400 jobs deleted");
  expect(lineOf(run({ status: "cancelled" }))).toBe("Stopped: 390 jobs deleted");
  expect(lineOf(run({ status: "failed" }))).toMatch(/^It failed/);
});

test("jobs that are refused for the same reason stand together, whatever they are called", () => {
  const refused = [
    { id: "1", reason: "Letter 17: it is running. To delete a job, it must be one that has ended." },
    { id: "2", reason: "a: b: it is running. To delete a job, it must be one that has ended." },
    { id: "3", reason: "There is no job 3." },
    { id: "4", reason: "There is no job 4." },
  ];
  expect(reasonsOf(refused)).toEqual([
    { why: "it is running. To delete a job, it must be one that has ended.", ids: ["1", "2"] },
    { why: "There is no job ….", ids: ["3", "4"] },
  ]);
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
