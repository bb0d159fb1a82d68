/** What needs somebody, as lines: what, why, and the way there. */
import type { Scope } from "@/api/session";
import type { FailureGroup, Schemas, Status } from "@/api/types";
import type { IconName } from "@/components/Icon";
import { plural } from "@/format/format";

type Attention = Schemas["Attention"];

export type Way =
  | { readonly to: "/jobs"; readonly search: { q: string } }
  | { readonly to: "/jobs/$jobId"; readonly params: { jobId: string } }
  | { readonly to: "/failures"; readonly search: { group: string } }
  | { readonly to: "/queues"; readonly search: { queue: string } }
  | { readonly to: "/workers"; readonly search: { worker: string } }
  | { readonly to: "/webhooks"; readonly search: { webhook: string } };

export interface Need {
  readonly key: string;
  readonly mark: { readonly status: Status } | { readonly icon: IconName };
  /** A sentence with the number. */
  readonly what: string;
  /** Of it, what is copied or typed: an error, a queue. */
  readonly subject: string | null;
  readonly code: string | null;
  readonly why: string;
  /** Since when, or until when. */
  readonly at: { readonly words: string; readonly time: string } | null;
  /** How many in each of the last hours; without it nothing is drawn. */
  readonly hours?: readonly number[];
  readonly example: string | null;
  /** The jobs that others wait for: they have the slots. */
  readonly holders: readonly string[];
  /** `scope`: who may not do that is shown no way there. */
  readonly action: { readonly label: string; readonly way: Way; readonly scope?: Scope };
}

/** The lines: what can't proceed first, then what failed, then workers that are lost, then webhooks. */
export function needsOf(found: Attention): readonly Need[] {
  const blocked = found.blocked.map(blockedNeed);
  const known = new Set(found.blocked.filter(({ code }) => code === "no_consumer").map(({ queue }) => queue));
  return [
    ...blocked,
    ...found.unconsumed_queues.filter(({ queue }) => !known.has(queue)).map(queueNeed),
    ...found.failures.map((group) => failureNeed(group)),
    ...found.lost_workers.filter((worker) => !worker.is_back || worker.failed_jobs > 0).map(workerNeed),
    ...found.disabled_webhooks.map(webhookNeed),
  ];
}

function blockedNeed(group: Attention["blocked"][number]): Need {
  const [oldest] = group.job_ids;
  const way: Need["action"] =
    group.queue !== null
      ? { label: "Open queue", way: { to: "/queues", search: { queue: group.queue } } }
      : group.worker !== null
        ? { label: "Open worker", way: { to: "/workers", search: { worker: group.worker } } }
        : { label: "Open job", way: { to: "/jobs/$jobId", params: { jobId: oldest ?? "" } } };
  return {
    key: `blocked ${group.code} ${group.queue ?? ""} ${group.worker ?? ""}`,
    mark: { status: "pending" },
    what: group.summary,
    subject: null,
    code: group.code,
    why: `${group.job_types.join(", ")}${group.is_exact ? "" : " · there may be more"}`,
    at: { words: "oldest since", time: group.oldest_since },
    example: oldest ?? null,
    holders: group.slot_job_ids ?? [],
    action: way,
  };
}

function queueNeed({ queue, messages }: Attention["unconsumed_queues"][number]): Need {
  return {
    key: `queue ${queue}`,
    mark: { icon: "queue" },
    what: `${plural(messages, "message")} ${messages === 1 ? "waits" : "wait"} in a queue that nobody consumes:`,
    subject: queue,
    code: null,
    why: "Messages of tasks that are not tracked count, too.",
    at: null,
    example: null,
    holders: [],
    action: { label: "Open queue", way: { to: "/queues", search: { queue } } },
  };
}

function failureNeed(group: FailureGroup): Need {
  const { id, state, jobs_of_day: jobs, error_type, message, hours } = group;
  const failed = `${plural(jobs, "job")} failed`;
  const types = Object.keys(group.types).filter((type) => type !== "");
  const releases = Object.keys(group.releases);
  const only = releases.length === 1 && releases[0] !== "" ? `only in release ${releases[0] ?? ""}` : "";
  const back = group.regressed_in === null ? "" : `first in release ${group.regressed_in}`;
  return {
    key: `failure ${id}`,
    mark: { status: "failed" },
    what:
      state === "regressed"
        ? `Regressed after it was marked as resolved, ${failed}:`
        : `${failed} in a way that is new:`,
    subject: message === "" ? error_type : `${error_type}: ${message}`,
    code: null,
    why: [types.slice(0, 3).join(", "), state === "regressed" ? back : only].filter(Boolean).join(" · "),
    at:
      state === "regressed"
        ? { words: "regressed since", time: group.regressed_at ?? group.last_seen }
        : { words: "since", time: group.first_seen },
    hours,
    example: null,
    holders: [],
    action: { label: "Open group", way: { to: "/failures", search: { group: id } } },
  };
}

function workerNeed(worker: Attention["lost_workers"][number]): Need {
  const name = worker.name ?? "(its name is not known any more)";
  const parts = [
    worker.open_jobs > 0 ? `${plural(worker.open_jobs, "job")} of it not settled` : "",
    worker.failed_jobs > 0 ? `${plural(worker.failed_jobs, "job")} failed because of it` : "",
    worker.is_back ? "a worker of this name lives again" : "",
    worker.queues.length > 0 ? `queues ${worker.queues.join(", ")}` : "",
  ].filter((part) => part !== "");
  return {
    key: `worker ${worker.incarnation}`,
    mark: { icon: "lost" },
    what: worker.is_back ? "A worker was lost:" : "A worker is lost:",
    subject: name,
    code: null,
    why: parts.join(" · "),
    at: { words: "since", time: worker.lost_at },
    example: worker.job_ids[0] ?? null,
    holders: [],
    action: { label: "Open worker", way: { to: "/workers", search: { worker: worker.name ?? "" } } },
  };
}

function webhookNeed(webhook: Attention["disabled_webhooks"][number]): Need {
  return {
    key: `webhook ${webhook.id}`,
    mark: { icon: "bell" },
    what: "A webhook was disabled, and nobody is told:",
    subject: webhook.description === "" ? webhook.host : webhook.description,
    code: null,
    why: webhook.reason,
    at: { words: "since", time: webhook.disabled_at },
    example: null,
    holders: [],
    action: {
      label: "Open webhook",
      way: { to: "/webhooks", search: { webhook: webhook.id } },
      scope: "admin",
    },
  };
}
