import type { WorkerFigures } from "@/api/fleet";
import { Link } from "@tanstack/react-router";
import { Icon } from "@/components/Icon";
import { useNow } from "@/components/Time";
import { ago, clock, duration, UNKNOWN } from "@/format/format";
import type { LaneRow } from "./laneRows";

/** A worker beside its lane: slots, pool, release, lease, and what of it needs a look. */
export function LaneHead({ lane: { name, figures } }: { lane: LaneRow }) {
  const now = useNow();
  const state = figures?.state;
  return (
    <div className="lane-head">
      <Link
        from="/workers"
        to="/workers"
        search={(old) => ({ ...old, worker: name })}
        className="plain mono b cut"
        title={name}
        replace
      >
        {name === "" ? "no worker named" : name}
      </Link>
      {state === "lost" || state === "stopped" ? (
        <b className={`r ${state === "lost" ? "failed" : "ink-2"}`}>{state}</b>
      ) : (
        <span className="r nowrap">
          {figures === null ? "" : `${figures.running_total}/${figures.concurrency ?? UNKNOWN}`}
        </span>
      )}
      <span className="t-11 ink-3 cut">
        {figures === null
          ? "not seen for a day"
          : [figures.pool, figures.release].filter(Boolean).join(" · ")}
      </span>
      <span className="t-11 ink-3 r nowrap">
        {figures?.heard_at == null
          ? ""
          : state === "lost" || state === "stopped"
            ? ago(figures.heard_at, now)
            : `lease ${duration(Math.max(1, Math.round((now - Date.parse(figures.heard_at)) / 1000))).replace(".0", "")}`}
      </span>
      {figures && <Remark figures={figures} now={now} />}
    </div>
  );
}

/** The one thing that is most worth knowing of a worker. */
function Remark({ figures, now }: { figures: WorkerFigures; now: number }) {
  const { state, is_drained, slow_types, jobs_per_minute, ended_at, lost, pool } = figures;
  if (state === "lost")
    return (
      <span className="lane-remark failed">
        <Icon name="lost" size={12} /> silent since {ended_at == null ? UNKNOWN : clock(ended_at, now)}
        {lost > 0 && `, ${lost} lost`}
      </span>
    );
  if (state === "stopped") return <span className="lane-remark ink-3">gave its lease back</span>;
  if (state === "silent")
    return (
      <span className={`lane-remark ${pool === "solo" ? "ink-2" : "failed"}`}>
        <Icon name="alert" size={12} /> {pool === "solo" ? "busy: it does not answer" : "no answer"}
      </span>
    );
  if (state === "not_tracked") return <span className="lane-remark ink-3">without jobtracker</span>;
  if (is_drained)
    return (
      <span className="lane-remark retrying">
        <Icon name="pause" size={12} /> drained: takes nothing new
      </span>
    );
  if (slow_types.length > 0)
    return (
      <span className="lane-remark retrying" title={slow_types.join(", ")}>
        <Icon name="clock" size={12} /> <span className="cut">slow: {slow_types.join(", ")}</span>
      </span>
    );
  return <span className="lane-remark ink-2">{jobs_per_minute.toFixed(1)} jobs/min</span>;
}
