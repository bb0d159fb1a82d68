/** What a change of many jobs will do, and has done, in words: those of the command line. */
import type { BulkAction, BulkPreview, BulkRequest, BulkRun } from "@/api/bulk";
import { type JobSummary, SETTLED, type Status } from "@/api/types";
import { toQuery } from "@/filter/filter";
import { count, plural } from "@/format/format";

/** What a dialog begins with; in it one may terminate instead of cancel, and untag instead of tag. */
export type Verb = Exclude<BulkAction, "terminate" | "untag">;

/** For which jobs: some that are in sight, some ids, or all that match a filter. */
export type Chosen = { readonly jobs: readonly Pick<JobSummary, "id">[] } | { readonly filter: string };

/** What somebody says in the dialog. */
export interface Options {
  readonly action: BulkAction;
  readonly reason: string;
  readonly tags: string;
  readonly priority: NonNullable<BulkRequest["priority"]>;
}

/** From so many jobs on, their number is typed. */
export const TYPED_FROM = 101;

/** The words of each action. `condition`: what a job must be, as the API says it. */
export const WORDS = {
  cancel: {
    do: "Cancel",
    doing: "Cancelling",
    done: "cancelled or asked to stop",
    keep: "Keep them",
    condition: "one that has not ended",
  },
  terminate: {
    do: "Terminate",
    doing: "Terminating",
    done: "cancelled or terminated",
    keep: "Keep them",
    condition: "one that has not ended",
  },
  retry: {
    do: "Retry",
    doing: "Retrying",
    done: "retried",
    keep: "Leave them",
    condition: "failed or cancelled",
  },
  delete: {
    do: "Delete",
    doing: "Deleting",
    done: "deleted",
    keep: "Keep them",
    condition: "one that has ended or is not started",
  },
  tag: { do: "Tag", doing: "Tagging", done: "tagged", keep: "Leave them", condition: "there" },
  untag: { do: "Untag", doing: "Untagging", done: "untagged", keep: "Leave them", condition: "there" },
  reprioritise: {
    do: "Reprioritise",
    doing: "Reprioritising",
    done: "reprioritised",
    keep: "Leave them",
    condition: "one that is not started",
  },
} as const satisfies Record<BulkAction, Record<string, string>>;

/** The tags that a text names: between commas, each once. */
export function tagsOf(text: string): string[] {
  const tags = text.split(",").map((tag) => tag.trim());
  return [...new Set(tags.filter((tag) => tag !== ""))];
}

/** What is asked of the API. */
export function requestOf(chosen: Chosen, { action, reason, tags, priority }: Options): BulkRequest {
  const why = reason.trim();
  return {
    action,
    ...whichJobs(chosen),
    ...((action === "cancel" || action === "terminate") && why !== "" ? { reason: why } : {}),
    ...(action === "tag" || action === "untag" ? { tags: tagsOf(tags) } : {}),
    ...(action === "reprioritise" ? { priority } : {}),
  };
}

/** The same, to see what it would change. What is not said yet does not matter for that. */
export function previewOf(chosen: Chosen, { action }: Pick<Options, "action">): BulkRequest {
  return requestOf(chosen, { action, reason: "", tags: "any", priority: "normal" });
}

function whichJobs(chosen: Chosen): Partial<BulkRequest> {
  if ("jobs" in chosen) return { ids: chosen.jobs.map(({ id }) => id) };
  const { q, tz } = toQuery(chosen.filter);
  return q == null ? { all: true } : { filter: q, tz: tz ?? "UTC" };
}

/** How many jobs it is about: sub-jobs whose parents match too go with them. */
export function aimOf({ count: found, below }: BulkPreview): number {
  return found - (below ?? 0);
}

/** That number in words. */
export function aimText(preview: BulkPreview): string {
  return `${preview.is_exact ? "" : "at least "}${plural(aimOf(preview), "job")}`;
}

const EFFECTS: Readonly<Record<BulkAction, Partial<Record<Status, string>>>> = {
  cancel: {
    pending: "wait, or are not started: cancelled at once, they never run",
    running: "run: asked to stop",
    retrying: "are between two attempts: the next one does not run",
  },
  terminate: {
    pending: "wait, or are not started: cancelled at once, they never run",
    running: "run: killed now, their work so far is thrown away",
    retrying: "are between two attempts: the next one does not run",
  },
  retry: { failed: "have failed: run again", cancelled: "were cancelled: run again" },
  delete: {
    pending: "were not started: deleted",
    completed: "have completed: deleted, with all below them",
    failed: "have failed: deleted, with all below them",
    cancelled: "were cancelled: deleted, with all below them",
  },
  tag: {}, // whatever their status is
  untag: {},
  reprioritise: { pending: "are not started: get the new priority" },
};

/** What happens to jobs of any status. */
const ANY: Partial<Record<BulkAction, string>> = { tag: "get these tags", untag: "lose these tags" };

/** Jobs of one status, and what happens to them. */
export interface Share {
  readonly status: Status;
  readonly count: number;
  readonly text: string;
}

/** Who gets what, by status; the most first. */
export function sharesOf(preview: BulkPreview, action: BulkAction): readonly Share[] {
  const counts = new Map<Status, number>();
  for (const { status, count: found } of preview.kinds) counts.set(status, (counts.get(status) ?? 0) + found);
  return [...counts]
    .map(([status, found]) => ({
      status,
      count: found,
      text: EFFECTS[action][status] ?? `${status}: ${ANY[action] ?? "changed"}`,
    }))
    .sort((a, b) => b.count - a.count);
}

const TYPES_NAMED = 4;

/** The types of the jobs with their numbers, the most first; null: it is one type, or none. */
export function typesText({ kinds }: BulkPreview): string | null {
  const counts = new Map<string, number>();
  for (const { job_type: type, count: found } of kinds) counts.set(type, (counts.get(type) ?? 0) + found);
  if (counts.size < 2) return null;
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const named = sorted.slice(0, TYPES_NAMED).map(([type, found]) => `${type} ${count(found)}`);
  const more = sorted.length - named.length;
  return [...named, ...(more > 0 ? [`and ${plural(more, "more type")}`] : [])].join(" · ");
}

/** What one has to know before, beside the numbers. */
export function notesOf(preview: BulkPreview, action: BulkAction): readonly string[] {
  const twice = preview.sample.some((job) => job.double_runs > 0 || job.losses > 0);
  switch (action) {
    case "cancel":
    case "terminate":
      return [
        "Sub-jobs below them that have not ended are cancelled, too. Cancelled jobs can be retried if their arguments are stored.",
      ];
    case "retry":
      return [
        ...(twice
          ? ["Some of them had an execution that does not count, and may have done its work: look first."]
          : []),
        "Of a parent, what did not complete below it runs again. A job whose arguments are not stored can’t run again: the result names it.",
      ];
    case "delete":
      return [
        "It can’t be taken back. Their records, results and logs are gone; what their tasks did stays.",
      ];
    default:
      return [];
  }
}

/** What has to be confirmed by an own act, before the button can be used. */
export type Confirmation = { readonly typed: string } | { readonly said: string } | null;

export function confirmationOf(preview: BulkPreview, action: BulkAction, chosen: Chosen): Confirmation {
  const aim = aimOf(preview);
  if (aim >= TYPED_FROM) return { typed: count(aim) };
  const isFilter = "filter" in chosen;
  if (action === "delete") return { said: `Yes, delete ${aimText(preview)} for good` };
  if (!isFilter) return null;
  const which = chosen.filter.trim() === "" ? "All jobs that there are" : "All that match the filter";
  return { said: `${which}, also those that the list does not show` };
}

/** Why it can't be done yet; null if it can. */
export function hindrance(
  preview: BulkPreview | undefined,
  { action, tags }: Options,
  confirmation: Confirmation,
  given: { readonly typed: string; readonly said: boolean },
): string | null {
  if (preview === undefined) return "The jobs are still being counted.";
  if (aimOf(preview) === 0 && preview.is_exact) return "There is no job to which this can be done.";
  if ((action === "tag" || action === "untag") && tagsOf(tags).length === 0) return "Say which tags.";
  if (confirmation && "typed" in confirmation) {
    const digits = (text: string) => text.replace(/[,.\s]/g, "");
    return digits(given.typed) === digits(confirmation.typed) ? null : "Type how many jobs it is for.";
  }
  return confirmation && !given.said ? "Confirm it first." : null;
}

export const isOver = ({ status }: Pick<BulkRun, "status">) => SETTLED.has(status);

/** What a bulk run is about: the filter, how many ids, or all jobs. */
export function aboutOf({ filter, ids }: Pick<BulkRun, "filter" | "ids">): string {
  return filter ?? (ids == null ? "all jobs" : plural(ids, "chosen job"));
}

/** How far a bulk run is, or what became of it, in a line. */
export function lineOf(run: BulkRun): string {
  const { doing, done } = WORDS[run.action];
  if (!isOver(run)) return `${doing}: ${count(run.looked_at)} of ${count(run.total)}`;
  if (run.status === "completed")
    return `${count(run.done)} of ${plural(run.done + run.refused, "job")} ${done}`;
  return `${run.status === "cancelled" ? "Stopped" : "It failed"}: ${plural(run.done, "job")} ${done}`;
}

/** Jobs that were refused for the same reason. */
export interface Reason {
  readonly why: string;
  readonly ids: readonly string[];
}

/** The refused jobs by their reason, without what is of one job only. */
export function reasonsOf(refused: readonly { id: string; reason: string }[]): readonly Reason[] {
  const found = groupsOf(refused, ({ id, reason }) => withoutJob(reason, id));
  return found.map((each) => ({
    why: withoutJob(each[0]?.reason ?? "", each[0]?.id ?? ""),
    ids: each.map(({ id }) => id),
  }));
}

/** `Letter 17: it is running` is the same of another job. */
function withoutJob(reason: string, id: string): string {
  return reason.replace(/^.*?: (?=it (?:is|has|was|would) )/s, "").replaceAll(id, "…");
}

/** What has the same key, together, in the order in which the keys came. */
export function groupsOf<Item>(items: readonly Item[], keyOf: (item: Item) => string): readonly Item[][] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()];
}
