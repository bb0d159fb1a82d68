import { Icon } from "@/components/Icon";
import { count } from "@/format/format";
import { WORDS } from "./bulk";
import { BulkResult } from "./BulkResult";
import { type BulkRun, dismissRun, isOver, stopRun, useBulkRun } from "./bulkRun";

interface BulkProgressProps {
  isShown: boolean;
  onShow: (isShown: boolean) => void;
}

/** The action that is under way: in a bar, or with what became of each job in a dialog. Nothing without one. */
export function BulkProgress({ isShown, onShow }: BulkProgressProps) {
  const run = useBulkRun();
  if (!run) return null;
  return isShown ? (
    <BulkResult
      run={run}
      onClose={() => {
        onShow(false);
        dismissRun();
      }}
    />
  ) : (
    <RunBar
      run={run}
      onShow={() => {
        onShow(true);
      }}
    />
  );
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
