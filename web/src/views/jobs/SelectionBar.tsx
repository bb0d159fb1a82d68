import { useState } from "react";
import type { JobSummary } from "@/api/types";
import { useCommands } from "@/commands/commands";
import { Icon } from "@/components/Icon";
import { count, plural } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { groupsOf, MOST, type Verb, WORDS } from "./bulk";
import { BulkPreview } from "./BulkDialog";
import { BulkResult } from "./BulkResult";
import { type BulkRun, dismissRun, isOver, stopRun, useBulkRun } from "./bulkRun";
import { useMatching } from "./useMatching";

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

const ACTIONS: readonly { verb: Verb; key: string }[] = [
  { verb: "retry", key: "r" },
  { verb: "cancel", key: "c" },
  { verb: "delete", key: "d" },
];

/** What is selected, and what can be done with it; below it, what is being done. */
export function SelectionBar({ jobs, q, total, hasMore, onClear }: SelectionBarProps) {
  const [isAll, setAll] = useState(false);
  const [asked, setAsked] = useState<Verb | null>(null);
  const [isShown, setShown] = useState(false);
  const run = useBulkRun();
  const off = useWritesOff();
  const isBusy = run !== null && !isOver(run);
  const isSelected = jobs.length > 0;
  const all = total === null ? "all that match" : `all ${count(total)} that match`;
  const what = isAll ? all : plural(jobs.length, "selected job");
  const canAct = isSelected && !isBusy && off === null;

  useCommands([
    ...(canAct
      ? ACTIONS.map(({ verb, key }) => ({
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
      {run && !isShown && (
        <RunBar
          run={run}
          onShow={() => {
            setShown(true);
          }}
        />
      )}
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
          {ACTIONS.map(({ verb, key }) => (
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
        <Asking
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
      {run && isShown && (
        <BulkResult
          run={run}
          onClose={() => {
            setShown(false);
            dismissRun();
          }}
        />
      )}
    </>
  );
}

interface AskingProps {
  verb: Verb;
  jobs: readonly JobSummary[];
  q: string | null;
  onClose: () => void;
  onStarted: () => void;
}

/** The jobs stay those of the moment in which somebody asked. */
function Asking({ jobs, q, ...rest }: AskingProps) {
  const [selected] = useState(jobs);
  const found = useMatching(q);
  const matching = q === null ? { ...found, jobs: selected, isDone: true } : found;
  return <BulkPreview {...rest} q={q} matching={matching} />;
}

function RunBar({ run, onShow }: { run: BulkRun; onShow: () => void }) {
  const { doing, done } = WORDS[run.verb];
  const over = isOver(run);
  const good = run.outcomes.filter(({ kind }) => kind === "done").length;
  return (
    <div className="bulk" role="region" aria-label="Action under way">
      <b>
        {over
          ? `${count(good)} of ${count(run.jobs.length)} ${done}`
          : `${doing}: ${count(run.outcomes.length)} of ${count(run.jobs.length)}`}
      </b>
      <button type="button" className="btn" onClick={onShow}>
        {over ? "Show the result" : "Show"}
      </button>
      {over ? (
        <button type="button" className="btn ghost" onClick={dismissRun} aria-label="Dismiss">
          <Icon name="cross" />
        </button>
      ) : (
        <button type="button" className="btn" onClick={stopRun}>
          Stop
        </button>
      )}
    </div>
  );
}

/** `all failed`, or how many of each. */
function statusesOf(jobs: readonly JobSummary[]): string {
  const found = groupsOf(jobs, ({ status }) => status);
  if (found.length === 1) return `all ${jobs[0]?.status ?? ""}`;
  return found.map((each) => `${count(each.length)} ${each[0]?.status ?? ""}`).join(", ");
}
