import { useState } from "react";
import { type Scope, useMay } from "@/api/session";
import type { JobSummary } from "@/api/types";
import { useCommands } from "@/commands/commands";
import { groupsOf, MOST, type Verb, WORDS } from "@/components/bulk/bulk";
import { BulkProgress } from "@/components/bulk/BulkProgress";
import { BulkQuestion } from "@/components/bulk/BulkQuestion";
import { isOver, useBulkRun } from "@/components/bulk/bulkRun";
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

const ACTIONS: readonly { verb: Verb; key: string; scope: Scope }[] = [
  { verb: "retry", key: "r", scope: "jobs:control" },
  { verb: "cancel", key: "c", scope: "jobs:control" },
  { verb: "delete", key: "d", scope: "jobs:delete" },
];

/** What who asks may do with a selection. */
export function useAllowed(): typeof ACTIONS {
  const may: Partial<Record<Scope, boolean>> = {
    "jobs:control": useMay("jobs:control"),
    "jobs:delete": useMay("jobs:delete"),
  };
  return ACTIONS.filter(({ scope }) => may[scope]);
}

/** What is selected, and what can be done with it; below it, what is being done. */
export function SelectionBar({ jobs, q, total, hasMore, onClear }: SelectionBarProps) {
  const [isAll, setAll] = useState(false);
  const [asked, setAsked] = useState<Verb | null>(null);
  const [isShown, setShown] = useState(false);
  const run = useBulkRun();
  const off = useWritesOff();
  const allowed = useAllowed();
  const isBusy = run !== null && !isOver(run);
  const isSelected = jobs.length > 0;
  const all = total === null ? "all that match" : `all ${count(total)} that match`;
  const what = isAll ? all : plural(jobs.length, "selected job");
  const canAct = isSelected && !isBusy && off === null;

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
      <BulkProgress isShown={isShown} onShow={setShown} />
      {isSelected && (
        <div className="bulk" role="region" aria-label="Selection">
          <b>{isAll ? `${all[0]?.toUpperCase() ?? ""}${all.slice(1)}` : `${count(jobs.length)} selected`}</b>
          {!isAll && <span className="ink-3 t-12 hide-s">{statusesOf(jobs)}</span>}
          {!isAll && (hasMore || (total ?? 0) > jobs.length) && (
            <button
              type="button"
              className="btn ghost small"
              title={`One action is for ${count(MOST)} jobs at most`}
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
              title={off ?? (isBusy ? "Another action is under way." : undefined)}
              onClick={() => {
                setAsked(verb);
              }}
            >
              {WORDS[verb].do}… <kbd>{key}</kbd>
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
          jobs={jobs}
          q={isAll ? q : null}
          onClose={() => {
            setAsked(null);
          }}
          onStarted={() => {
            setAsked(null);
            setShown(true);
            clear();
          }}
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
