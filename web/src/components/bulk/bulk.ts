/** What will become of jobs that somebody wants to cancel, retry or delete: in numbers, before anything is done. */
import { type JobSummary, SETTLED, type Status } from "@/api/types";
import { plural } from "@/format/format";

export type Verb = "cancel" | "retry" | "delete";

/** Jobs to which the same happens. */
export interface Share {
  readonly id: string;
  readonly status: Status;
  readonly jobs: readonly JobSummary[];
  /** What happens to them, after their number. */
  readonly text: string;
  /** Whether anything is done to them at all. */
  readonly doable: boolean;
}

export interface Options {
  readonly reason: string;
  readonly terminate: boolean;
}

/** From so many jobs on, their number is typed. */
export const TYPED_FROM = 101;
/** The most jobs that one action is for. */
export const MOST = 10_000;

/** The words of each action. */
export const WORDS = {
  cancel: { do: "Cancel", doing: "Cancelling", done: "cancelled", keep: "Keep them" },
  retry: { do: "Retry", doing: "Retrying", done: "sent again", keep: "Leave them" },
  delete: { do: "Delete", doing: "Deleting", done: "deleted", keep: "Keep them" },
} as const satisfies Record<Verb, Record<string, string>>;

interface Rule {
  readonly id: string;
  readonly when: (job: JobSummary) => boolean;
  readonly text: string | ((options: Options) => string);
  readonly doable: boolean;
}

const isSettled = (job: JobSummary) => SETTLED.has(job.status);
const isNew = (job: JobSummary) => job.status === "pending" && job.queued_at == null && job.run === 0;

/** The first rule that fits a job says what happens to it. */
const RULES: Readonly<Record<Verb, readonly Rule[]>> = {
  cancel: [
    { id: "settled", when: isSettled, text: "have ended already: they stay as they are", doable: false },
    {
      id: "told",
      when: (job) => job.cancel_requested_at != null,
      text: ({ terminate }) => (terminate ? "were told to stop: killed now" : "were told to stop already"),
      doable: true,
    },
    {
      id: "running",
      when: (job) => job.status === "running",
      text: ({ terminate }) =>
        terminate ? "run: killed now, their work so far is thrown away" : "run: asked to stop",
      doable: true,
    },
    {
      id: "retrying",
      when: (job) => job.status === "retrying",
      text: "are between two attempts: the next one does not run",
      doable: true,
    },
    { id: "new", when: isNew, text: "were not started: cancelled at once", doable: true },
    { id: "waiting", when: () => true, text: "wait: cancelled at once, they never run", doable: true },
  ],
  retry: [
    {
      id: "completed",
      when: (job) => job.status === "completed",
      text: "have completed: not run again",
      doable: false,
    },
    {
      id: "open",
      when: (job) => !isSettled(job),
      text: "have not ended: they stay as they are",
      doable: false,
    },
    {
      id: "parents",
      when: (job) => job.sub_job_counts != null,
      text: "are parents: what did not complete below them runs again",
      doable: true,
    },
    { id: "failed", when: (job) => job.status === "failed", text: "have failed: run again", doable: true },
    { id: "cancelled", when: () => true, text: "were cancelled: run again", doable: true },
  ],
  delete: [
    { id: "settled", when: isSettled, text: "have ended: deleted, with all below them", doable: true },
    { id: "new", when: isNew, text: "were not started: deleted", doable: true },
    { id: "open", when: () => true, text: "have not ended: cancel them first", doable: false },
  ],
};

/** Who gets what, by what happens and status; the doable ones first. */
export function sharesOf(verb: Verb, jobs: readonly JobSummary[], options: Options): readonly Share[] {
  const withRules = jobs.flatMap((job) => {
    const rule = RULES[verb].find(({ when }) => when(job));
    return rule ? [{ job, rule, id: `${rule.id} ${job.status}` }] : [];
  });
  return groupsOf(withRules, ({ id }) => id)
    .flatMap((group) => {
      const [first] = group;
      if (!first) return [];
      const { text, doable } = first.rule;
      return {
        id: first.id,
        status: first.job.status,
        jobs: group.map(({ job }) => job),
        text: typeof text === "string" ? text : text(options),
        doable,
      };
    })
    .sort((a, b) => Number(b.doable) - Number(a.doable) || b.jobs.length - a.jobs.length);
}

/** What one has to know before, beside the numbers. */
export function notesOf(verb: Verb, jobs: readonly JobSummary[]): readonly string[] {
  const below = jobs.reduce((sum, { sub_job_counts: counts }) => sum + openBelow(counts), 0);
  const twice = jobs.filter((job) => job.double_runs > 0 || job.losses > 0).length;
  if (verb === "cancel") {
    return [
      ...(below > 0
        ? [`${plural(below, "sub-job")} below them that have not ended are cancelled, too.`]
        : []),
      "What ends before its turn is left as it is. Cancelled jobs can be retried if their arguments are stored.",
    ];
  }
  if (verb === "retry") {
    return [
      ...(twice > 0
        ? [
            `${plural(twice, "job")} had an execution that does not count, and may have done its work: look first.`,
          ]
        : []),
      "A job whose arguments are not stored can't run again: the result names it.",
    ];
  }
  return ["It can't be taken back. Their records, results and logs are gone; what their tasks did stays."];
}

function openBelow(counts: JobSummary["sub_job_counts"]): number {
  return counts ? counts.total - counts.completed - counts.failed - counts.cancelled : 0;
}

/** Why the action can't be done yet; null if it can. */
export function hindrance(doable: number, typed: string): string | null {
  if (doable === 0) return "Nothing can be done to these jobs.";
  if (doable >= TYPED_FROM && typed.replace(/[,.\s]/g, "") !== String(doable))
    return "Type how many jobs it is for.";
  return null;
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
