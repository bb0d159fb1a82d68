import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { allRefused, bulkRun, type BulkRun } from "@/api/bulk";
import { Dialog } from "@/components/Dialog";
import { Icon } from "@/components/Icon";
import { Answered } from "@/components/states";
import { Time } from "@/components/Time";
import { duration, secondsBetween, shortId } from "@/format/format";
import { aboutOf, isOver, lineOf, WORDS } from "./bulk";
import { BulkFigures } from "./BulkFigures";
import { csvOf } from "./csv";
import { StopButton } from "./StopButton";

/** A bulk run, for everybody who has its link: how far it is, what became of the jobs, and a way to stop it. */
export function BulkRunDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useQuery(bulkRun(id));
  const run = query.data;
  return (
    <Dialog
      title={run === undefined ? "Bulk run" : isOver(run) ? lineOf(run) : `${WORDS[run.action].doing} jobs`}
      className="bulk-dialog"
      onClose={onClose}
      footer={
        <>
          {run && (isOver(run) ? <RefusedAsCsv run={run} /> : <GoesOn />)}
          <span className="push" />
          {run && !isOver(run) && <StopButton run={run} />}
          <CloseButton onClose={onClose} when={run !== undefined && isOver(run)} />
        </>
      }
    >
      <section>
        <Answered query={query} rows={3}>
          {(found) => (
            <>
              <p className="t-12 ink-3 bulk-what">
                <code>{aboutOf(found)}</code>
                {found.asked_by && `, asked for by ${found.asked_by}`}, <Time at={found.created_at} />
                {found.finished_at &&
                  `, took ${duration(secondsBetween(found.created_at, found.finished_at))}`}
              </p>
              <BulkFigures run={found} />
              <p className="sr" role="status">
                {isOver(found) ? lineOf(found) : ""}
              </p>
              <p className="t-12 ink-3">
                It is itself a job,{" "}
                <Link to="/jobs/$jobId" params={{ jobId: found.id }} className="mono">
                  {shortId(found.id)}
                </Link>
                .{" "}
                {(found.action === "cancel" || found.action === "terminate") &&
                  "A job that runs is cancelled once its task has stopped: the list says when."}
              </p>
            </>
          )}
        </Answered>
      </section>
    </Dialog>
  );
}

function GoesOn() {
  return <span className="ink-3 t-12 hide-s">It goes on when this is closed.</span>;
}

function RefusedAsCsv({ run }: { run: BulkRun }) {
  const write = useMutation({
    mutationFn: () => allRefused(run.id),
    onSuccess: (refused) => {
      save(run, refused);
    },
  });
  if (run.refused === 0) return null;
  return (
    <button
      type="button"
      className="btn ghost"
      disabled={write.isPending}
      title={write.error?.message}
      onClick={() => {
        write.mutate();
      }}
    >
      <Icon name="download" /> {write.error ? "CSV: try again" : "Refused, CSV"}
    </button>
  );
}

function save(run: BulkRun, refused: readonly { id: string; reason: string }[]): void {
  const text = csvOf([["id", "why"], ...refused.map(({ id, reason }) => [id, reason])]);
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${run.action}-refused-${run.id.slice(0, 8)}.csv`;
  link.click();
  URL.revokeObjectURL(url);
}

/** The focus stays in a dialog whose buttons change. */
function CloseButton({ onClose, when }: { onClose: () => void; when: unknown }) {
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    button.current?.focus();
  }, [when]);
  return (
    <button type="button" className="btn" ref={button} onClick={onClose}>
      <Icon name="cross" size={12} /> Close
    </button>
  );
}
