import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { BULK_TYPE } from "@/api/bulk";
import { jobTypes } from "@/api/queries";
import { type Scope, useMay } from "@/api/session";
import { type Job, SETTLED } from "@/api/types";
import { retryJob, startJob, useWrite } from "@/api/writes";
import { type Command, useCommands } from "@/commands/commands";
import { hindranceOf, unannounced } from "@/components/bulk/unannounced";
import { CancelDialog } from "@/components/CancelDialog";
import { ErrorNotice } from "@/components/states";
import { plural, shortId } from "@/format/format";
import { useConnection } from "@/live/connection";
import { DeleteDialog } from "./DeleteDialog";
import { JobForm } from "./JobForm";
import { RetryDialog } from "./RetryDialog";

interface Action {
  /** What one must be allowed to do. */
  readonly scope: Scope;
  readonly label: string;
  readonly busy?: string;
  readonly key?: string;
  /** Why it can't be done now; null if it can. */
  readonly whyNot: string | null;
  readonly run: () => void;
}

type Asking = "cancel" | "delete" | "clone" | "edit" | "retry";

/**
 * What can be done with a job, with the keys for it. A write is pending on its button until its effect was read; then a
 * line says what became of it.
 */
export function useJobActions(job: Job, warnings: readonly string[]) {
  const navigate = useNavigate();
  const { state } = useConnection();
  const [asking, setAsking] = useState<Asking | null>(null);
  const [told, setSaid] = useState<string | null>(null);
  /** The run that the line tells of: when that has ended, the line is over. */
  const [toldRun, setToldRun] = useState<number | null>(null);
  const touched = () => [["job", job.id], ["stats"]];
  const start = useWrite(() => startJob(job.id), touched);
  const retry = useWrite((fromFailed: boolean) => retryJob(job.id, fromFailed), touched);

  const types = useQuery(jobTypes).data;
  const missing = types ? hindranceOf(unannounced([job], types)) : null;
  const mustAsk = warnings.length > 0 || missing !== null;

  const isSettled = SETTLED.has(job.status);
  const isOver = job.status === "failed" || job.status === "cancelled";
  const may: Partial<Record<Scope, boolean>> = {
    "jobs:control": useMay("jobs:control"),
    "jobs:create": useMay("jobs:create"),
    "jobs:delete": useMay("jobs:delete"),
  };
  const away = state === "off" ? "The API does not answer" : null;
  const said = toldRun !== null && isSettled && job.run >= toldRun ? null : told;
  const again = (fromFailed: boolean) => {
    setSaid(null);
    setToldRun(null);
    retry.mutate(fromFailed, {
      onSuccess: (runs) => {
        if (runs.id === job.id) {
          setSaid(`It runs again: run ${runs.run}.`);
          setToldRun(runs.run);
        } else {
          setSaid(`${shortId(runs.id)} of its chain runs again; the rest follows, and so this job.`);
          void navigate({ to: "/jobs/$jobId", params: { jobId: runs.id } });
        }
      },
    });
  };
  const notComplete = (job.sub_job_counts?.failed ?? 0) + (job.sub_job_counts?.cancelled ?? 0);
  const ask = (what: Asking) => () => {
    setSaid(null);
    setToldRun(null);
    setAsking(what);
  };

  const actions = {
    start: {
      scope: "jobs:control",
      label: "Start",
      busy: "Starting…",
      key: "s",
      whyNot:
        away ?? (job.run > 0 ? "It was started" : job.status !== "pending" ? "It is not pending" : null),
      run: () => {
        setSaid(null);
        start.mutate(undefined, {
          onSuccess: () => {
            setSaid("It is sent to its queue.");
          },
        });
      },
    },
    retry: {
      scope: "jobs:control",
      label: `Retry${notComplete > 0 ? ` ${plural(notComplete, "sub-job")}` : ""}${mustAsk ? "…" : ""}`,
      busy: "Retrying…",
      key: "r",
      whyNot: away ?? (isOver ? null : job.status === "completed" ? "It has completed" : "It has not ended"),
      run: () => {
        if (mustAsk) ask("retry")();
        else again(false);
      },
    },
    cancel: {
      scope: "jobs:control",
      label: job.cancel_requested_at && !isSettled ? "Terminate…" : "Cancel…",
      key: "c",
      whyNot: away ?? (isSettled ? "It has ended" : null),
      run: ask("cancel"),
    },
    clone: { scope: "jobs:create", label: "Clone…", key: "e", whyNot: away, run: ask("clone") },
    edit: { scope: "jobs:control", label: "Edit…", key: "shift+e", whyNot: away, run: ask("edit") },
    delete: {
      scope: "jobs:delete",
      label: "Delete…",
      whyNot: away ?? (isSettled || job.run === 0 ? null : "It has not ended: cancel it first"),
      run: ask("delete"),
    },
  } satisfies Record<string, Action>;

  const isBusy = start.isPending || retry.isPending;
  const isOffered = (name: keyof typeof actions) =>
    may[actions[name].scope] && (job.job_type !== BULK_TYPE || name === "cancel" || name === "delete");
  useCommands(
    (Object.keys(actions) as (keyof typeof actions)[])
      .filter(isOffered)
      .map((name): Action => actions[name])
      .filter(({ whyNot }) => whyNot === null && !isBusy)
      .map(({ label, key, run }): Command => ({
        label: `${label.replace("…", "")} this job${label.endsWith("…") ? "…" : ""}`,
        key,
        run,
      })),
  );

  const close = () => {
    setAsking(null);
  };
  const isChained = retry.error !== null && /of its chain|in its chain/.test(retry.error.message);
  const dialogs = (
    <>
      {asking === "cancel" && (
        <CancelDialog
          job={job}
          terminate={job.cancel_requested_at != null}
          onDone={setSaid}
          onClose={close}
        />
      )}
      {asking === "delete" && (
        <DeleteDialog job={job} onDeleted={() => void navigate({ to: "/jobs" })} onClose={close} />
      )}
      {asking === "retry" && (
        <RetryDialog
          name={job.name}
          warnings={warnings}
          missing={missing}
          onRetry={() => {
            again(false);
          }}
          onClose={close}
        />
      )}
      {(asking === "clone" || asking === "edit") && (
        <JobForm
          job={job}
          mode={asking}
          onClose={close}
          onDone={(done) => {
            close();
            if (asking === "edit") setSaid("It is saved.");
            else void navigate({ to: "/jobs/$jobId", params: { jobId: done.id } });
          }}
        />
      )}
    </>
  );
  const outcome = (
    <>
      <p className={said === null ? "sr" : "t-12 ink-2"} role="status">
        {said}
      </p>
      {start.error && <ErrorNotice error={start.error} />}
      {retry.error && <ErrorNotice error={retry.error} />}
      {isChained && (
        <button
          type="button"
          className="btn small"
          onClick={() => {
            again(true);
          }}
        >
          Retry from the job of its chain that did not complete
        </button>
      )}
    </>
  );
  const shown: readonly (keyof typeof actions)[] = ["delete", "edit", "cancel", "clone"];
  const main: keyof typeof actions = job.run === 0 && job.status === "pending" ? "start" : "retry";
  const buttons = (
    <span className="push row wrap job-actions">
      {shown.filter(isOffered).map((name) => (
        <ActionButton key={name} action={actions[name]} />
      ))}
      {isOffered(main) && (
        <ActionButton
          action={actions[main]}
          isMain
          isBusy={main === "start" ? start.isPending : retry.isPending}
        />
      )}
    </span>
  );
  return { buttons, dialogs, outcome };
}

function ActionButton({
  action: { label, busy, key, whyNot, run },
  isMain = false,
  isBusy = false,
}: {
  action: Action;
  isMain?: boolean;
  isBusy?: boolean;
}) {
  return (
    <button
      type="button"
      className={`btn ${isMain && whyNot === null ? "primary" : ""}`}
      disabled={whyNot !== null || isBusy}
      title={whyNot ?? undefined}
      onClick={run}
    >
      {isBusy ? busy : label}
      {key && <kbd>{key === "shift+e" ? "⇧e" : key}</kbd>}
    </button>
  );
}
