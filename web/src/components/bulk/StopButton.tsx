import { useMutation, useQueryClient } from "@tanstack/react-query";
import { bulkRun, type BulkRun, stopBulk } from "@/api/bulk";
import { useMay } from "@/api/session";
import { ErrorNotice } from "@/components/states";
import { useWritesOff } from "@/live/connection";

/** Stops a bulk run: what it has changed stays so. */
export function StopButton({ run }: { run: BulkRun }) {
  const queries = useQueryClient();
  const off = useWritesOff();
  const may = useMay("jobs:control");
  const stop = useMutation({
    mutationFn: () => stopBulk(run.id),
    onSettled: () => queries.invalidateQueries({ queryKey: bulkRun(run.id).queryKey }),
  });
  if (!may) return null;
  return (
    <>
      {stop.error && !stop.isPending && <ErrorNotice error={stop.error} />}
      <button
        type="button"
        className="btn"
        disabled={off !== null || stop.isPending}
        title={off ?? "What it has changed stays so."}
        onClick={() => {
          stop.mutate();
        }}
      >
        {stop.isPending ? "Stopping…" : "Stop"}
      </button>
    </>
  );
}
