import { QueryClient } from "@tanstack/react-query";
import { afterEach, expect, test, vi } from "vitest";

const asked: string[] = [];

/** The list's first question, on a page at a path; `told`: a hint has come before it is asked; `loggedIn`: a login was. */
async function firstQuestion(
  path: string,
  { base = "http://jobs.test/", q = "", told = false, loggedIn = false } = {},
) {
  vi.resetModules();
  asked.length = 0;
  vi.stubGlobal("document", { baseURI: base });
  vi.stubGlobal("location", new URL(path, base));
  vi.stubGlobal("fetch", (input: string | Request) => {
    asked.push(typeof input === "string" ? input : input.url);
    return Promise.resolve(Response.json({ jobs: [{ id: "a" }], next_cursor: null, total: 1 }));
  });
  await import("@/api/early");
  const early = asked.length;
  const { hint } = await import("@/live/hints");
  if (told) hint({ kind: "jobs", jobs: "many" });
  const { sessionBegan } = await import("@/live/session");
  if (loggedIn) sessionBegan();
  const { pages } = await import("./pages");
  const client = new QueryClient();
  const ask = () => client.fetchInfiniteQuery({ ...pages(q, undefined), staleTime: 0 });
  const found = await ask();
  expect(found.pages[0]?.jobs).toHaveLength(1);
  return { early, again: ask };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each(["http://jobs.test/", "http://jobs.test/tools/jobtracker/"])(
  "the list takes the answer that was asked for early, once (%s)",
  async (base) => {
    const { early, again } = await firstQuestion("jobs", { base });
    expect([early, asked]).toEqual([2, [`${base}api/me`, `${base}api/jobs/?page_size=100`]]);
    await again();
    expect(asked).toHaveLength(3);
  },
);

test.each([{ told: true }, { loggedIn: true }])("it asks anew after %o", async (meanwhile) => {
  const { early } = await firstQuestion("jobs", meanwhile);
  expect([early, asked.length]).toEqual([2, 3]);
});

test.each(["", "jobs/x", "jobs?q=status:failed", "queues"])(
  "at /%s only /api/me is asked early",
  async (path) => {
    const { early } = await firstQuestion(path, { q: path.includes("q=") ? "status:failed" : "" });
    expect([early, asked[0]]).toEqual([1, "http://jobs.test/api/me"]);
  },
);
