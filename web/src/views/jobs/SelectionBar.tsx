import { useState } from "react";
import { BULK_TYPE } from "@/api/bulk";
import { type Scope, useMay } from "@/api/session";
import type { JobSummary } from "@/api/types";
import { useCommands } from "@/commands/commands";
import { groupsOf, type Verb, WORDS } from "@/components/bulk/bulk";
import { BulkQuestion } from "@/components/bulk/BulkQuestion";
import { Icon } from "@/components/Icon";
import { count, plural } from "@/format/format";
import { useWritesOff } from "@/live/connection";

interface SelectionBarProps {
  /** The jobs that are selected. */
  jobs: readonly JobSummary[];
  q: string;
  /** How many match; null if nobody counts them. */
  total: number | null;
  /** Whether there are more than the list has loaded. */
  hasMore: boolean;
  onClear: () => void;
}

const ACTIONS: readonly { verb: Verb; key?: string; scope: Scope }[] = [
  { verb: "retry", key: "r", scope: "jobs:control" },
  { verb: "cancel", key: "c", scope: "jobs:control" },
  { verb: "tag", key: "t", scope: "jobs:control" },
  { verb: "reprioritise", scope: "jobs:control" },
  { verb: "delete", key: "d", scope: "jobs:delete" },
];

/** What the caller may do with a selection. */
export function useAllowed(): typeof ACTIONS {
  const may: Partial<Record<Scope, boolean>> = {
    "jobs:control": useMay("jobs:control"),
    "jobs:delete": useMay("jobs:delete"),
  };
  return ACTIONS.filter(({ scope }) => may[scope]);
}

/** What is selected, and what can be done with it. */
export function SelectionBar({ jobs, q, total, hasMore, onClear }: SelectionBarProps) {
  const [isAll, setAll] = useState(false);
  const [asked, setAsked] = useState<Verb | null>(null);
  const off = useWritesOff();
  const allowed = useAllowed();
  const isSelected = jobs.length > 0;
  const all = total === null ? "all that match" : `all ${count(total)} that match`;
  const what = isAll ? all : plural(jobs.length, "selected job");
  const canAct = isSelected && off === null;

  useCommands([
    ...(canAct
      ? allowed.map(({ verb, key }) => ({
          label: `${WORDS[verb].do} ${what}…`,
          key,
          run: () => {
            setAsked(verb);
          },
        }))
      : []),
    ...(isSelected ? [{ label: "Select nothing", key: "Escape", run: clear }] : []),
  ]);

  function clear(): void {
    setAll(false);
    onClear();
  }

  return (
    <>
      {isSelected && (
        <div className="bulk" role="region" aria-label="Selection">
          <b>{isAll ? `${all[0]?.toUpperCase() ?? ""}${all.slice(1)}` : `${count(jobs.length)} selected`}</b>
          {!isAll && <span className="ink-3 t-12 hide-s">{statusesOf(jobs)}</span>}
          {!isAll && (hasMore || (total ?? 0) > jobs.length) && (
            <button
              type="button"
              className="btn ghost small"
              onClick={() => {
                setAll(true);
              }}
            >
              select {all}
            </button>
          )}
          {allowed.map(({ verb, key }) => (
            <button
              key={verb}
              type="button"
              className="btn"
              disabled={!canAct}
              title={off ?? undefined}
              onClick={() => {
                setAsked(verb);
              }}
            >
              {verb === "reprioritise" ? "Priority" : WORDS[verb].do}… {key && <kbd>{key}</kbd>}
            </button>
          ))}
          <button type="button" className="btn ghost" onClick={clear} aria-label="Select nothing">
            <Icon name="cross" />
          </button>
        </div>
      )}
      {asked && (
        <BulkQuestion
          verb={asked}
          chosen={isAll ? { filter: q } : { jobs }}
          inSight={jobs.filter(({ job_type: type }) => !isAll || type !== BULK_TYPE)}
          onClose={() => {
            setAsked(null);
          }}
          onStarted={clear}
        />
      )}
    </>
  );
}

/** `all failed`, or how many of each. */
function statusesOf(jobs: readonly JobSummary[]): string {
  const found = groupsOf(jobs, ({ status }) => status);
  if (found.length === 1) return `all ${jobs[0]?.status ?? ""}`;
  return found.map((each) => `${count(each.length)} ${each[0]?.status ?? ""}`).join(", ");
}
