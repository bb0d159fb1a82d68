import { expect, test } from "vitest";
import type { FailureGroup } from "@/api/types";
import {
  actionsOf,
  arranged,
  commonActions,
  errorOf,
  hoursUntil,
  jobsOf,
  labelOf,
  partsOf,
  releaseSentence,
  typesOf,
} from "./groups";
import { failuresSearch, wantedOf } from "./search";

const group = (id: string, fields: object = {}) => ({ id, count: 1, ...fields }) as FailureGroup;

test("rows keep their places; what is newer waits, and what no longer matches stays", () => {
  const held = [group("a"), group("b"), group("c")];
  const { rows, newer } = arranged(held, [group("d"), group("c", { count: 5 }), group("a")]);
  expect(rows.map(({ group: { id, count }, isGone }) => [id, count, isGone])).toEqual([
    ["a", 1, false],
    ["b", 1, true],
    ["c", 5, false],
  ]);
  expect(newer).toBe(1);
});

test("a group is named by its error and its types", () => {
  expect(errorOf({ error_type: "KeyError", message: "'vat'" })).toBe("KeyError: 'vat'");
  expect(errorOf({ error_type: "WorkerLost", message: "" })).toBe("WorkerLost");
  expect(typesOf({ types: { a: 5, b: 2, c: 1, "": 7 } })).toBe("a, b, c, 1 more");
  expect(partsOf({ "": 9, a: 1, b: 4 }).map(({ name }) => name)).toEqual(["b", "a", ""]);
});

test("what can be said depends on what was said", () => {
  expect(actionsOf("resolved")).toEqual(["reopen", "ignore"]);
  expect(labelOf("reopen", "new")).toBe("Mark as known");
  expect(labelOf("reopen", "ignored")).toBe("Reopen");
});

test("of several groups can be said what can be said of one of them", () => {
  expect(commonActions(["known", "resolved"])).toEqual(["resolve", "ignore", "reopen"]);
  expect(commonActions(["ignored"])).toEqual(["reopen"]);
  expect(commonActions([])).toEqual([]);
});

test("a sentence says of one release only what is known", () => {
  const said = (releases: object, count: number) => releaseSentence({ releases, count } as never);
  expect(said({}, 3)).toBeNull();
  expect(said({ "7.2": 3 }, 3)).toBe("Only release 7.2 has it.");
  expect(said({ "7.2": 2 }, 3)).toBe("Release 7.2 has it; of 1 the release is not known.");
  expect(said({ "7.2": 2, "7.1": 1 }, 3)).toBe("2 releases have it.");
});

test("hours are those of the clock, as the API counts them", () => {
  expect(hoursUntil(Date.parse("2026-11-29T12:34:56Z"), 2)).toEqual([
    "2026-11-29T11:00:00.000Z",
    "2026-11-29T12:00:00.000Z",
  ]);
});

test("the URL is what the API is asked for", () => {
  expect(wantedOf(failuresSearch({}))).toMatchObject({
    state: ["new", "regressed", "known"],
    sort: "-last_seen",
  });
  const search = failuresSearch({ state: "ignored", sort: "odd", release: 7, group: "", type: "mail" });
  expect(search).toMatchObject({ state: "ignored", sort: undefined, release: "7", group: undefined });
  expect(wantedOf(search)).toMatchObject({ state: ["ignored"], release: "7", job_type: "mail" });
  expect(jobsOf("x", "1h")).toEqual({ status: "failed", failure: "x", finished: "1h" });
});
