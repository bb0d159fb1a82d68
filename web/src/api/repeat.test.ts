import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bearsKey, keyOf, over, sendOnce } from "./repeat";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

let number = 0;
const fresh = () => `http://api/${(number += 1).toString()}`;

test("the same under way, without an answer, or as a double click is the same intention", () => {
  const what = fresh();
  const key = keyOf(what, 0);
  expect(key).toMatch(/^[0-9a-f]{32}$/);
  expect(keyOf(what, 10)).toBe(key);
  over(what, key, false, 100);
  expect(keyOf(what, 50_000)).toBe(key);
  over(what, key, true, 50_000);
  expect(keyOf(what, 50_400)).toBe(key);
  over(what, key, true, 50_400);
  expect(keyOf(what, 51_000)).not.toBe(key);
});

test("after something else was done, the same once more is another intention; not if it had no answer", () => {
  const [done, unanswered] = [fresh(), fresh()];
  const [first, second] = [keyOf(done, 0), keyOf(unanswered, 0)];
  over(done, first, true, 10);
  over(unanswered, second, false, 10);
  keyOf(fresh(), 20);
  expect(keyOf(done, 30)).not.toBe(first);
  expect(keyOf(unanswered, 30)).toBe(second);
});

test("what changes something bears a key; a login and a preview do not", () => {
  expect(bearsKey("POST", "/api/jobs/", "{}")).toBe(true);
  expect(bearsKey("PUT", "/api/jobs/1", "{}")).toBe(false);
  expect(bearsKey("POST", "/api/session", "{}")).toBe(false);
  expect(bearsKey("POST", "/api/jobs/bulk", JSON.stringify({ action: "tag", dry_run: true }))).toBe(false);
});

const json = { "content-type": "application/json" };
const post = () => new Request(fresh(), { method: "POST", body: '{"a":1}' });

test("a request without an answer is sent again with its key and its body, until one comes", async () => {
  const sent: string[] = [];
  const answers = [
    () => Promise.reject(new TypeError("no network")),
    () => new Response("", { status: 502 }),
    () => new Response("{}", { status: 409, headers: { ...json, "retry-after": "1" } }),
    () => new Response("{}", { status: 201, headers: json }),
  ];
  const answered = sendOnce(post(), async (request) => {
    sent.push(`${request.headers.get("idempotency-key") ?? ""} ${await request.text()}`);
    return answers.shift()?.() ?? Response.error();
  });
  await vi.runAllTimersAsync();
  expect((await answered).status).toBe(201);
  expect(sent).toHaveLength(4);
  expect(new Set(sent).size).toBe(1);
  expect(sent[0]).toMatch(/^[0-9a-f]{32} \{"a":1\}$/);
});

test("a refusal, and an API that can't do it now, are answers", async () => {
  for (const status of [422, 409, 503]) {
    let sent = 0;
    const answer = await sendOnce(post(), () => {
      sent += 1;
      return Promise.resolve(
        new Response("{}", { status, headers: { "content-type": "application/problem+json" } }),
      );
    });
    expect([answer.status, sent]).toEqual([status, 1]);
  }
});

test("it ends: after some seconds nobody sends it again", async () => {
  let sent = 0;
  const answered = sendOnce(post(), () => {
    sent += 1;
    return Promise.reject(new TypeError("no network"));
  }).catch((error: unknown) => String(error));
  await vi.runAllTimersAsync();
  expect(await answered).toContain("no network");
  expect(sent).toBe(5);
});
