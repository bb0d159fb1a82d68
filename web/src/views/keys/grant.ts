/** What a key is to allow, as somebody writes it down. */
import type { ApiKey } from "@/api/admin";
import type { Me, Scope } from "@/api/session";
import type { Schemas } from "@/api/types";
import { linesOf } from "@/components/Field";

export type Role = "viewer" | "operator" | "admin";

export const SCOPES: Readonly<Record<Scope, string>> = {
  "jobs:read": "see jobs, results, queues, workers, figures",
  "jobs:create": "create jobs",
  "jobs:control": "start, cancel, retry, change jobs; drain workers; examine and repair",
  "jobs:delete": "delete jobs",
  "masked:read": "see masked arguments",
  admin: "manage keys and webhooks, read the audit",
};

const ALL = Object.keys(SCOPES) as Scope[];

export const ROLES: Readonly<Record<Role, { text: string; scopes: readonly Scope[] }>> = {
  viewer: { text: "viewer: reads", scopes: ["jobs:read"] },
  operator: {
    text: "operator: starts, cancels, retries, deletes too",
    scopes: ["jobs:read", "jobs:create", "jobs:control", "jobs:delete"],
  },
  admin: { text: "admin: all", scopes: ALL },
};

/** The roles and scopes that somebody may give: no more than they have. */
export function givable({ scopes }: Pick<Me, "scopes">): { roles: Role[]; scopes: Scope[] } {
  const has = (scope: Scope) => scopes.includes(scope);
  return {
    roles: (Object.keys(ROLES) as Role[]).filter((role) => ROLES[role].scopes.every(has)),
    scopes: ALL.filter(has),
  };
}

export const EXPIRIES = [
  ["never", "never"],
  ["7", "in 7 days"],
  ["30", "in 30 days"],
  ["90", "in 90 days"],
  ["365", "in a year"],
  ["at", "at a time"],
] as const;
export type Expiry = (typeof EXPIRIES)[number][0];

export interface Draft {
  owner: string;
  /** A role, or `scopes`. */
  may: Role | "scopes";
  scopes: readonly Scope[];
  /** One on each line. */
  types: string;
  tags: string;
  expiry: Expiry;
  /** The time, where `expiry` is that: in the viewer's zone. */
  at: string;
}

const DAY_MS = 86_400_000;

function expiryOf({ expiry, at }: Draft, now: number): string | null {
  if (expiry === "never") return null;
  return new Date(expiry === "at" ? at : now + Number(expiry) * DAY_MS).toISOString();
}

/** What is wrong with it; null: nothing that can be seen here. */
export function flawOf({ owner, may, scopes, expiry, at }: Draft, now: number): string | null {
  if (owner.trim() === "") return "Say whose it is.";
  if (may === "scopes" && scopes.length === 0) return "Choose at least one scope.";
  if (expiry === "at") {
    const time = Date.parse(at);
    if (Number.isNaN(time)) return "Say when it expires.";
    if (time <= now) return "It would have expired already: choose a later time.";
  }
  return null;
}

/** What the API is asked for. */
export function grantOf(draft: Draft, now: number): Schemas["KeyCreate"] {
  const { owner, may, scopes, types, tags } = draft;
  const [jobTypes, jobTags] = [linesOf(types), linesOf(tags)];
  return {
    owner: owner.trim(),
    role: may === "scopes" ? null : may,
    scopes: may === "scopes" ? [...scopes] : [],
    job_types: jobTypes.length > 0 ? jobTypes : null,
    tags: jobTags.length > 0 ? jobTags : null,
    expires_at: expiryOf(draft, now),
  };
}

/** What a key allows, in a word or by its scopes. */
export function mayOf({ role, scopes }: Pick<ApiKey, "role" | "scopes">): string {
  return role ?? scopes.join(", ");
}

/** Whether it is the last key that is accepted and may manage keys. */
export function isLastAdmin(key: ApiKey, keys: readonly ApiKey[]): boolean {
  const isAdmin = ({ state, role, scopes }: ApiKey) =>
    state === "active" && (role === "admin" || scopes.includes("admin"));
  return isAdmin(key) && keys.every((each) => each.id === key.id || !isAdmin(each));
}
