import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { bulkRefused, type BulkRun, bulkWait } from "@/api/bulk";
import { Icon } from "@/components/Icon";
import { ErrorNotice } from "@/components/states";
import { count, plural, shortId } from "@/format/format";
import { isOver, lineOf, reasonsOf, WORDS } from "./bulk";
import "./bulk.css";

/** Of each reason so many jobs are named; the CSV has all. */
const NAMED = 10;

/** How far a bulk run is, and what became of the jobs: the same rows while it goes on, and when it is over. */
export function BulkFigures({ run }: { run: BulkRun }) {
  const over = isOver(run);
  const left = Math.max(0, run.total - run.looked_at);
  const wait = useQuery({ ...bulkWait(run.id), enabled: !over }).data;
  return (
    <>
      <progress
        className="bulk-progress"
        max={Math.max(1, run.total)}
        value={over && run.status === "completed" ? Math.max(1, run.total) : run.looked_at}
        aria-label={lineOf(run)}
      />
      {run.reason && <p className="t-12 ink-2">{run.reason}</p>}
      {!over && wait && <p className="t-12 ink-2">{wait}</p>}
      <ul className="sums">
        <li className="sum">
          <b>{count(run.done)}</b>
          <Icon name="check" />
          <span>{WORDS[run.action].done}</span>
        </li>
        {run.below > 0 && (
          <li className="sum">
            <b>{count(run.below)}</b>
            <Icon name="tree" />
            <span>sub-jobs, with their parents</span>
          </li>
        )}
        {run.left_alone > 0 && (
          <li className="sum">
            <b>{count(run.left_alone)}</b>
            <Icon name="pause" />
            <span>left alone: in another state when it was their turn</span>
          </li>
        )}
        {run.refused > 0 && <Refused run={run} />}
        {left > 0 && (
          <li className="sum ink-3">
            <b>{count(left)}</b>
            <Icon name="clock" />
            <span>{over ? "not looked at, it was stopped before" : "to look at"}</span>
          </li>
        )}
      </ul>
    </>
  );
}

/** The jobs that could not be changed, by their reasons. */
function Refused({ run }: { run: BulkRun }) {
  const { data, error } = useQuery(bulkRefused(run.id, run.refused));
  const reasons = reasonsOf(data?.refused ?? []);
  const told = data?.refused.length ?? 0;
  return (
    <>
      {reasons.map(({ why, ids }) => (
        <li className="sum" key={why}>
          <b>{count(ids.length)}</b>
          <Icon name="alert" />
          <span>
            refused: {why}
            <span className="bulk-named t-12">
              {ids.slice(0, NAMED).map((id) => (
                <Link key={id} to="/jobs/$jobId" params={{ jobId: id }} className="mono">
                  {shortId(id)}
                </Link>
              ))}
              {ids.length > NAMED && <span className="ink-3">and {count(ids.length - NAMED)} more</span>}
            </span>
          </span>
        </li>
      ))}
      {run.refused > told && (
        <li className="sum">
          <b>{count(run.refused - told)}</b>
          <Icon name="alert" />
          <span>
            {told === 0 ? "refused" : `refused, ${plural(run.refused - told, "reason")} not shown here`}
          </span>
        </li>
      )}
      {error && (
        <li>
          <ErrorNotice error={error} />
        </li>
      )}
    </>
  );
}
