import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useEffectEvent } from "react";
import { ApiError } from "@/api/client";
import { bulkRun } from "@/api/bulk";
import { Icon } from "@/components/Icon";
import { count } from "@/format/format";
import { isOver, lineOf } from "./bulk";
import { BulkRunDialog } from "./BulkRunDialog";
import { dismiss, ended, follow, useFollowed } from "./pending";

/** The bulk run that the URL names in a dialog, and a line that leads back to those of this tab. Nothing without one. */
export function BulkRuns() {
  const { bulk } = useSearch({ strict: false });
  const navigate = useNavigate();
  const followed = useFollowed();
  const queries = useQueryClient();
  const [first, ...others] = followed.filter((id) => id !== bulk);
  const show = (id: string | undefined) =>
    void navigate({
      to: ".",
      search: (old) => ({ ...old, bulk: id }),
      replace: id === undefined,
      resetScroll: false,
    });
  return (
    <>
      {followed.map((id) => (
        <Watch key={id} id={id} />
      ))}
      {bulk === undefined && first !== undefined && (
        <Line
          id={first}
          others={others.length}
          onShow={() => {
            show(first);
          }}
        />
      )}
      {bulk !== undefined && (
        <BulkRunDialog
          key={bulk}
          id={bulk}
          onClose={() => {
            const run = queries.getQueryData(bulkRun(bulk).queryKey);
            // Whose result was seen needs no line any more.
            if (run === undefined || isOver(run)) dismiss(bulk);
            else follow(run);
            show(undefined);
          }}
        />
      )}
    </>
  );
}

/** Notices that a bulk run has ended, also while nobody looks at it. */
function Watch({ id }: { id: string }) {
  const { data, error } = useQuery(bulkRun(id));
  const over = data !== undefined && isOver(data);
  const settle = useEffectEvent(() => {
    if (data) ended(data);
  });
  useEffect(() => {
    if (over) settle();
  }, [over]);
  const isMissing = error instanceof ApiError && error.status === 404;
  useEffect(() => {
    if (isMissing) dismiss(id); // it was deleted, or is somebody else's
  }, [isMissing, id]);
  return null;
}

function Line({ id, others, onShow }: { id: string; others: number; onShow: () => void }) {
  const { data: run } = useQuery(bulkRun(id));
  if (!run) return null;
  const over = isOver(run);
  return (
    <div className="bulk bulk-line" role="region" aria-label="Bulk run of this tab">
      {!over && (
        <progress
          className="bulk-progress"
          max={Math.max(1, run.total)}
          value={run.looked_at}
          aria-hidden="true"
        />
      )}
      <b>{lineOf(run)}</b>
      {others > 0 && (
        <Link to="/jobs" search={{ q: "type:jobtracker.bulk" }} className="t-12">
          and {count(others)} more
        </Link>
      )}
      <button type="button" className="btn" onClick={onShow}>
        {over ? "Show the result" : "Show"}
      </button>
      <button
        type="button"
        className="btn ghost"
        aria-label="Dismiss"
        title={over ? undefined : "The bulk run goes on."}
        onClick={() => {
          dismiss(id);
        }}
      >
        <Icon name="cross" />
      </button>
    </div>
  );
}
