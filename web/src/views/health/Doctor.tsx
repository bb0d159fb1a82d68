import { useMay } from "@/api/session";
import type { Schemas } from "@/api/types";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, data } from "@/api/client";
import { examination } from "@/api/queries";
import { Icon } from "@/components/Icon";
import { Panel } from "@/components/Panel";
import { Answered, Empty, ErrorNotice } from "@/components/states";
import { Time } from "@/components/Time";
import { count, duration, plural } from "@/format/format";
import { useLive } from "@/live/useLive";
import { Differences } from "./Differences";
import { leftOf } from "./flaws";
import { RepairDialog } from "./RepairDialog";
import { Traps } from "./Traps";

type Run = Schemas["ExaminationRun"];

/** The doctor: what differs from the records, with a repair; and settings that cause trouble later. */
export function Doctor() {
  const status = useQuery(examination);
  useLive([examination.queryKey], { on: "clock" });
  const client = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const again = () => void client.invalidateQueries({ queryKey: examination.queryKey });
  const examining = useMutation({
    mutationFn: () => data(api.POST("/api/tracking/examination")),
    onSettled: again,
  });
  const repairing = useMutation({
    mutationFn: (id: string) =>
      data(api.POST("/api/tracking/examination/repair", { body: { examination_id: id } })),
    onSettled: again,
  });
  const mayControl = useMay("jobs:control");
  const current = status.data?.current ?? null;
  const last = status.data?.last ?? null;
  const left = leftOf(last?.result);
  const isBusy = current !== null || examining.isPending || repairing.isPending;
  const error = examining.error ?? repairing.error;

  return (
    <>
      <Panel
        title="Doctor"
        sub={
          last?.ended_at && (
            <>
              last examined at <Time at={last.ended_at} />
            </>
          )
        }
        actions={
          mayControl && (
            <>
              {left > 0 && (
                <button
                  type="button"
                  className="btn"
                  disabled={isBusy}
                  onClick={() => {
                    setAsking(true);
                  }}
                >
                  Repair {count(left)}…
                </button>
              )}
              <button
                type="button"
                className="btn primary"
                disabled={isBusy}
                onClick={() => {
                  repairing.reset();
                  examining.mutate();
                }}
              >
                {last === null ? "Examine" : "Examine again"}
              </button>
            </>
          )
        }
        foot={
          <span>
            It recounts every counter and index, and looks at settings, while all else goes on: about three
            seconds for each ten thousand jobs. The same in a shell: <code>jobtracker doctor</code>.
          </span>
        }
      >
        {error && <ErrorNotice error={error} />}
        <Answered query={status} rows={2}>
          {() => (
            <>
              {current && <Progress run={current} />}
              {last ? <Ended run={last} /> : !current && <NeverExamined />}
            </>
          )}
        </Answered>
      </Panel>
      {last?.result && last.result.traps.length > 0 && <Traps traps={last.result.traps} />}
      {isAsking && last?.result && (
        <RepairDialog
          differences={last.result.differences}
          endedAt={last.ended_at}
          onClose={() => {
            setAsking(false);
          }}
          onRepair={() => {
            setAsking(false);
            examining.reset();
            repairing.mutate(last.id);
          }}
        />
      )}
    </>
  );
}

function NeverExamined() {
  return (
    <Empty title="Nobody has examined this store in the last seven days.">
      <p>Examine it: nothing is changed by that. What differs is shown, and can be repaired then.</p>
    </Empty>
  );
}

function Progress({ run }: { run: Run }) {
  return (
    <div className="notice" role="status">
      <Icon name="clock" />
      <div>
        <b>{run.repair ? "A repair runs" : "An examination runs"}</b> since <Time at={run.started_at} />:{" "}
        {plural(run.jobs_looked_at, "job")} recounted, {plural(run.differences_found, "difference")} found. It
        goes on if this page is closed.
      </div>
    </div>
  );
}

function Ended({ run }: { run: Run }) {
  const { result } = run;
  if (!result)
    return (
      <div className="notice warn">
        <Icon name="alert" />
        <div>
          <b>The last {run.repair ? "repair" : "examination"} did not end:</b> {run.detail ?? run.state}.
          Examine again.
        </div>
      </div>
    );
  const left = leftOf(result);
  const repaired = result.differences.reduce((sum, group) => sum + group.repaired, 0);
  return (
    <>
      <div className="row verdict pb">
        <span className={left > 0 || result.jobs == null ? "failed" : "completed"}>
          <Icon name={left > 0 || result.jobs == null ? "alert" : "check"} size={16} />
        </span>
        <div>
          <p className="b">{verdictOf(result.jobs ?? null, left, repaired)}</p>
          <p className="ink-2 t-12">
            {plural(result.traps.length, "trap")} in the settings. It took {duration(result.took_s)}.
          </p>
        </div>
      </div>
      {result.differences.length > 0 && <Differences differences={result.differences} />}
      {result.unchecked.length > 0 && (
        <div className="pb t-12 unchecked">
          <p className="m">Could not be looked at:</p>
          <ul>
            {result.unchecked.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

function verdictOf(jobs: number | null, left: number, repaired: number): string {
  if (jobs === null) return "Not recounted.";
  const recounted = `${plural(jobs, "job")} recounted`;
  if (left > 0) return `${recounted}: ${plural(left, "difference")} ${repaired > 0 ? "left" : "found"}.`;
  return repaired > 0
    ? `${recounted}: ${plural(repaired, "difference")} repaired, none is left.`
    : `${recounted}: every counter and index is right.`;
}
