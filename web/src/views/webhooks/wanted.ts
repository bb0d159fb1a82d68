/** A webhook as somebody writes it down, and how it does in words. */
import type { Delivery, Webhook, WebhookWanted } from "@/api/admin";
import type { Schemas } from "@/api/types";
import { linesOf } from "@/components/Field";
import { duration, plural } from "@/format/format";

export type WebhookEvent = Schemas["WebhookEvent"];

export const EVENTS: Readonly<Record<WebhookEvent, string>> = {
  "job.settled": "a job has completed, failed, or was cancelled",
  "job.failed": "a job has failed",
  "job.lost": "a job has failed because its worker was lost",
  "failure_group.new": "a job has failed in a way in which none has before",
  "failure_group.regressed": "a job has failed in a way that was marked as resolved",
  "queue.no_consumer": "messages wait in a queue that no worker consumes",
  "queue.older_than": "the oldest message of a queue has waited for long",
  "worker.lost": "a worker has not renewed its lease",
};
export const ALL_EVENTS = Object.keys(EVENTS) as WebhookEvent[];

export interface Draft {
  url: string;
  events: readonly WebhookEvent[];
  description: string;
  /** One on each line. */
  types: string;
  tags: string;
  queues: string;
  /** In seconds. */
  olderThan: string;
  template: string;
}

const OLDER_THAN_S = 300;
const [LEAST_S, MOST_S] = [10, 604_800];

/** What stands in the form at first. */
export function draftOf(webhook: Webhook | null): Draft {
  const lines = (names: readonly string[] | undefined) => (names ?? []).join("\n");
  return {
    url: webhook?.url ?? "",
    events: webhook?.events ?? ["job.failed"],
    description: webhook?.description ?? "",
    types: lines(webhook?.job_types),
    tags: lines(webhook?.tags),
    queues: lines(webhook?.queues),
    olderThan: String(webhook?.older_than_s ?? OLDER_THAN_S),
    template: webhook?.template ?? "",
  };
}

/** What is wrong with it; null: nothing that can be seen here. */
export function flawOf({ url, events, olderThan }: Draft): string | null {
  if (!/^(https?:\/\/|mailto:)./.test(url.trim())) return "The address begins with https:// or mailto:.";
  if (events.length === 0) return "Choose at least one event.";
  const seconds = Number(olderThan);
  if (events.includes("queue.older_than") && !(seconds >= LEAST_S && seconds <= MOST_S))
    return `A message is old after ${LEAST_S} seconds to 7 days.`;
  return null;
}

/** What the API is asked for. */
export function wantedOf(draft: Draft, enabled: boolean): WebhookWanted {
  const { url, events, description, types, tags, queues, olderThan, template } = draft;
  return {
    url: url.trim(),
    events: ALL_EVENTS.filter((event) => events.includes(event)),
    description: description.trim(),
    job_types: linesOf(types),
    tags: linesOf(tags),
    queues: linesOf(queues),
    older_than_s: events.includes("queue.older_than") ? Math.round(Number(olderThan)) : OLDER_THAN_S,
    template: template.trim() === "" ? null : template,
    enabled,
  };
}

/** The same webhook, told something or nothing. */
export function switched(webhook: Webhook, enabled: boolean): WebhookWanted {
  const { url, events, description, job_types, tags, queues, older_than_s, template } = webhook;
  return { url, events, description, job_types, tags, queues, older_than_s, template, enabled };
}

/** How it does, and whether that needs somebody. */
export function stateOf(webhook: Webhook, now: number): { text: string; isBad: boolean } {
  const { enabled, disabled_reason: reason, failing_since: since } = webhook;
  if (!enabled) return { text: reason == null ? "disabled" : "disabled by itself", isBad: reason != null };
  if (since != null)
    return { text: `failing for ${duration((now - Date.parse(since)) / 1000)}`, isBad: true };
  return { text: webhook.delivered_at == null ? "nothing sent yet" : "works", isBad: false };
}

/** Which jobs, queues and workers it is told of. */
export function filterOf({ job_types: types = [], tags = [], queues = [] }: Webhook): string {
  const parts = [
    types.length > 0 ? `type ${types.join(", ")}` : "",
    tags.length > 0 ? `tag ${tags.join(", ")}` : "",
    queues.length > 0 ? `queue ${queues.join(", ")}` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "all" : `only ${parts.join("; ")}`;
}

/** What the last attempt of a delivery has come to. */
export function lastAttemptOf({ attempts = [], attempt_count: tried, state }: Delivery): string {
  const last = attempts.at(-1);
  if (last === undefined) return state === "given_up" ? "not tried" : "not tried yet";
  const came = last.error ?? (last.status == null ? "sent" : `HTTP ${last.status}`);
  return tried > 1 ? `${came} (${plural(tried, "attempt")})` : came;
}
