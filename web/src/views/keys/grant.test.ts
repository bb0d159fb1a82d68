import { expect, test } from "vitest";
import type { ApiKey } from "@/api/admin";
import { type Draft, flawOf, givable, grantOf, isLastAdmin, mayOf } from "./grant";

const NOW = Date.parse("2026-11-29T12:00:00Z");
const DRAFT: Draft = {
  owner: " ada ",
  may: "operator",
  scopes: [],
  types: "",
  tags: "",
  expiry: "never",
  at: "",
};

const key = (id: string, more: Partial<ApiKey> = {}): ApiKey => ({
  id,
  owner: "ada",
  role: "admin",
  scopes: [],
  state: "active",
  created_at: "2026-11-29T12:00:00Z",
  ...more,
});

test("a draft becomes a grant: a role or scopes, limits by line, an expiry", () => {
  expect(grantOf(DRAFT, NOW)).toEqual({
    owner: "ada",
    role: "operator",
    scopes: [],
    job_types: null,
    tags: null,
    expires_at: null,
  });
  const scoped = {
    ...DRAFT,
    may: "scopes",
    scopes: ["jobs:read"],
    types: "a, b\n\n c\nc",
    expiry: "7",
  } as const;
  expect(grantOf(scoped, NOW)).toMatchObject({
    role: null,
    scopes: ["jobs:read"],
    job_types: ["a, b", "c"],
    expires_at: "2026-12-06T12:00:00.000Z",
  });
});

test("what is missing is named", () => {
  expect(flawOf(DRAFT, NOW)).toBeNull();
  expect(flawOf({ ...DRAFT, owner: " " }, NOW)).toContain("whose");
  expect(flawOf({ ...DRAFT, may: "scopes" }, NOW)).toContain("scope");
  expect(flawOf({ ...DRAFT, expiry: "at" }, NOW)).toContain("when");
  expect(flawOf({ ...DRAFT, expiry: "at", at: "2026-01-01T00:00" }, NOW)).toContain("already");
});

test("nobody gives more than they have", () => {
  expect(givable({ scopes: ["admin", "jobs:read"] })).toEqual({
    roles: ["viewer"],
    scopes: ["jobs:read", "admin"],
  });
  const all = givable({
    scopes: ["jobs:read", "jobs:create", "jobs:control", "jobs:delete", "masked:read", "admin"],
  });
  expect(all.roles).toEqual(["viewer", "operator", "admin"]);
});

test("a key is told in words", () => {
  expect(mayOf(key("1", { role: null, scopes: ["jobs:read", "admin"] }))).toBe("jobs:read, admin");
});

test("the last key that may manage keys is known", () => {
  const ada = key("1");
  expect(isLastAdmin(ada, [ada, key("2", { role: "viewer" }), key("3", { state: "revoked" })])).toBe(true);
  expect(isLastAdmin(ada, [ada, key("2", { role: null, scopes: ["admin"] })])).toBe(false);
  expect(isLastAdmin(key("2", { role: "viewer" }), [])).toBe(false);
});
