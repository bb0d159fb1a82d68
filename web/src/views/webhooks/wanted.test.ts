import { expect, test } from "vitest";
import type { Delivery, Webhook } from "@/api/admin";
import { draftOf, filterOf, flawOf, lastAttemptOf, stateOf, switched, wantedOf } from "./wanted";

const NOW = Date.parse("2026-11-29T12:00:00Z");
const WEBHOOK: Webhook = {
  id: "wh_1",
  url: "https://example.com/hook",
  events: ["job.failed", "queue.older_than"],
  description: "",
  job_types: ["invoice"],
  tags: [],
  queues: ["slow", "fast"],
  older_than_s: 60,
  template: null,
  enabled: true,
  created_at: "2026-11-29T11:00:00Z",
  secrets_in_use: 1,
  disabled_reason: null,
  disabled_at: null,
  failing_since: null,
  delivered_at: null,
  pending: 0,
  dropped: 0,
};
const DELIVERY: Delivery = {
  id: "msg_1",
  event: "job.failed",
  subject: "a",
  state: "pending",
  created_at: "2026-11-29T12:00:00Z",
  attempt_count: 0,
  redelivered: 0,
  body: "{}",
};

test("what is written down and read again is the same webhook", () => {
  expect(wantedOf(draftOf(WEBHOOK), true)).toEqual(switched(WEBHOOK, true));
  expect(switched(WEBHOOK, false).enabled).toBe(false);
  expect(wantedOf(draftOf(null), true)).toMatchObject({ events: ["job.failed"], template: null });
});

test("what is missing is named", () => {
  const draft = draftOf(WEBHOOK);
  expect(flawOf(draft)).toBeNull();
  expect(flawOf({ ...draft, url: "ftp://example.com" })).toContain("https://");
  expect(flawOf({ ...draft, events: [] })).toContain("event");
  expect(flawOf({ ...draft, olderThan: "soon" })).toContain("seconds");
  expect(flawOf({ ...draft, events: ["job.lost"], olderThan: "" })).toBeNull();
});

test("how it does is said in words", () => {
  expect(stateOf(WEBHOOK, NOW)).toEqual({ text: "nothing sent yet", isBad: false });
  expect(stateOf({ ...WEBHOOK, failing_since: "2026-11-29T09:00:00Z" }, NOW).text).toBe("failing for 3h 00m");
  expect(stateOf({ ...WEBHOOK, enabled: false }, NOW)).toEqual({ text: "disabled", isBad: false });
  expect(stateOf({ ...WEBHOOK, enabled: false, disabled_reason: "410" }, NOW).isBad).toBe(true);
  expect(filterOf(WEBHOOK)).toBe("only type invoice; queue slow, fast");
  expect(filterOf({ ...WEBHOOK, job_types: [], queues: [] })).toBe("all");
});

test("an attempt says its error, or the answer", () => {
  expect(lastAttemptOf(DELIVERY)).toBe("not tried yet");
  const attempt = { at: "2026-11-29T12:00:00Z", took_ms: 3 };
  expect(lastAttemptOf({ ...DELIVERY, attempts: [{ ...attempt, status: 204 }], attempt_count: 1 })).toBe(
    "HTTP 204",
  );
  const failed = { ...DELIVERY, attempts: [{ ...attempt, error: "It answered 500" }], attempt_count: 7 };
  expect(lastAttemptOf(failed)).toBe("It answered 500 (7 attempts)");
});
