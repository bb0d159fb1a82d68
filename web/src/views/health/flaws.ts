import type { Schemas } from "@/api/types";

type Group = Schemas["DifferenceGroup"];

/** What each flaw means, and what a repair does with it. */
const FLAWS: Readonly<Record<Schemas["Flaw"], { readonly means: string; readonly repair: string }>> = {
  missing: { means: "An index lacks a job: lists do not show it.", repair: "The job is added." },
  stray: { means: "An index has a job that does not belong there, or is none.", repair: "It is taken out." },
  score: { means: "An index has a job at a wrong place.", repair: "It is moved to its place." },
  record: { means: "A field of a record contradicts its status.", repair: "The field is set by the status." },
  broken: {
    means: "A record lacks what every record has.",
    repair: "Nothing: nobody can tell what it was. Delete the job if it is of no use.",
  },
  left_over: { means: "A key of a job that is gone.", repair: "The key is removed." },
  family: { means: "A parent's counter of its sub-jobs is wrong.", repair: "It is counted anew." },
  stranger: {
    means: "A parent was told of a job that is none of its sub-jobs.",
    repair: "It is forgotten there.",
  },
  unnotified: {
    means: "A parent and a sub-job do not agree on what became of the sub-job.",
    repair: "The parent is notified again.",
  },
  lost_value: {
    means: "The object store lacks a payload or result that a job names.",
    repair: "Nothing: it can't be brought back. Restore the object, or delete the job.",
  },
  total: { means: "A running total is not the sum of what it counts.", repair: "It is added up anew." },
  unknown: {
    means: "A key that this release does not know.",
    repair: "Nothing: another release may use it.",
  },
};

/** What a flaw is about; of one that this page does not know yet, nothing. */
export function aboutFlaw(flaw: string): { readonly means: string; readonly repair: string } {
  return (FLAWS as Partial<Record<string, (typeof FLAWS)["stray"]>>)[flaw] ?? { means: "", repair: "" };
}

/** What a repair leaves as it is. */
const BEYOND_REPAIR: ReadonlySet<Schemas["Flaw"]> = new Set(["broken", "lost_value", "unknown"]);

/** Differences that are not repaired. */
export function leftOf(result: Schemas["Examination"] | null | undefined): number {
  return (result?.differences ?? []).reduce((sum, group) => sum + group.count - group.repaired, 0);
}

/** What a repair would mend now, and what it can't. */
export function previewOf(groups: readonly Group[]): { mended: readonly Group[]; kept: readonly Group[] } {
  const open = groups.filter(({ count, repaired }) => count > repaired);
  return {
    mended: open.filter(({ flaw }) => !BEYOND_REPAIR.has(flaw)),
    kept: open.filter(({ flaw }) => BEYOND_REPAIR.has(flaw)),
  };
}
