import { expect, test } from "vitest";
import type { AuditEntry } from "@/api/admin";
import { arranged, jobOf } from "./entries";
import { auditSearch, isNarrowed, wantedOf } from "./search";

const entry = (id: string, more: Partial<AuditEntry> = {}): AuditEntry => ({
  id,
  at: "2026-11-29T14:00:00Z",
  principal: "ada",
  via: "api",
  action: "cancel_job",
  outcome: "done",
  ...more,
});

test("rows stay in their place with what is known now, and newer ones are counted", () => {
  const begun = entry("2", { outcome: "unknown" });
  const { rows, newer } = arranged([begun, entry("1")], [entry("4"), entry("3"), entry("2"), entry("1")]);
  expect(rows.map(({ id, outcome }) => [id, outcome])).toEqual([
    ["2", "done"],
    ["1", "done"],
  ]);
  expect(newer).toBe(2);
});

test("where a whole page is newer, all of it is; where nothing was, all is new", () => {
  expect(arranged([entry("1")], [entry("9"), entry("8")]).newer).toBe(2);
  expect(arranged([], [entry("9")]).newer).toBe(1);
  expect(arranged([], [])).toEqual({ rows: [], newer: 0 });
});

test("a target is a job if its action is one of jobs and has not deleted it", () => {
  expect(jobOf(entry("1", { target: "a" }))).toBe("a");
  expect(jobOf(entry("1", { target: "run", action: "change_many" }))).toBe("run");
  expect(jobOf(entry("1", { target: "a", action: "delete_job" }))).toBeNull();
  expect(jobOf(entry("1", { target: "a", action: "delete_job", outcome: "refused" }))).toBe("a");
  expect(jobOf(entry("1", { target: "celery@host", action: "drain_worker" }))).toBeNull();
  expect(jobOf(entry("1"))).toBeNull();
});

test("a URL is read back as it is, without what can't be meant", () => {
  const search = auditSearch({
    principal: "2026",
    outcome: "lost",
    since: "yesterday",
    job: "",
    entry: "1-0",
  });
  expect(search).toEqual({ principal: "2026", entry: "1-0" });
  expect(isNarrowed(search)).toBe(true);
  expect(isNarrowed(auditSearch({ cursor: "x" }))).toBe(false);
});

test("a span is counted back from when it is asked, a time is itself", () => {
  expect(wantedOf(auditSearch({ since: "1h" })).sinceMs).toBe(3_600_000);
  const { wanted, sinceMs } = wantedOf(auditSearch({ since: "2026-11-28T00:00:00+01:00" }));
  expect([wanted.since, sinceMs]).toEqual(["2026-11-27T23:00:00.000Z", null]);
});
