/** What the URL of the audit holds, and what the API is asked for with it. */
import type { AuditQuery } from "@/api/admin";
import type { Schemas } from "@/api/types";

export type Outcome = Schemas["AuditOutcome"];
export const OUTCOMES = ["done", "refused", "failed", "unknown"] as const satisfies Outcome[];

const HOUR_MS = 3_600_000;
/** How far back the list goes, by the name in the URL. A URL may also have a time. */
export const SPANS = {
  "1h": { text: "the last hour", ms: HOUR_MS },
  "24h": { text: "the last 24 hours", ms: 24 * HOUR_MS },
  "7d": { text: "the last 7 days", ms: 7 * 24 * HOUR_MS },
  "30d": { text: "the last 30 days", ms: 30 * 24 * HOUR_MS },
} as const;

export interface AuditSearch {
  principal?: string;
  action?: string;
  /** The id of a job, or of another target. */
  job?: string;
  outcome?: Outcome;
  /** One of `SPANS`, or a time. */
  since?: string;
  /** Where the page begins; the latest entries without it. */
  cursor?: string;
  /** The entry that is looked at. */
  entry?: string;
}

export const FILTERS = ["principal", "action", "job", "outcome", "since"] as const;

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/** The search of a URL. A time that nobody can read is none. */
export function auditSearch(given: Record<string, unknown>): AuditSearch {
  const since = text(given.since);
  return {
    principal: text(given.principal),
    action: text(given.action),
    job: text(given.job),
    outcome: OUTCOMES.find((outcome) => outcome === given.outcome),
    since: since !== undefined && (isSpan(since) || !Number.isNaN(Date.parse(since))) ? since : undefined,
    cursor: text(given.cursor),
    entry: text(given.entry),
  };
}

export function isSpan(since: string): since is keyof typeof SPANS {
  return Object.hasOwn(SPANS, since);
}

/** What to ask the API for, and how many milliseconds back; null: `since` is a time, or there is none. */
export function wantedOf({ principal, action, job, outcome, since, cursor }: AuditSearch): {
  wanted: AuditQuery;
  sinceMs: number | null;
} {
  const isAgo = since !== undefined && isSpan(since);
  return {
    wanted: {
      principal,
      action,
      job,
      outcome,
      since: since === undefined || isAgo ? undefined : new Date(since).toISOString(),
      cursor,
    },
    sinceMs: isAgo ? SPANS[since].ms : null,
  };
}

/** Whether the list is narrowed. */
export function isNarrowed(search: AuditSearch): boolean {
  return FILTERS.some((name) => search[name] !== undefined);
}
