import { useQuery } from "@tanstack/react-query";
import { bulkRun } from "@/api/bulk";
import { aboutOf, isOver, lineOf } from "@/components/bulk/bulk";
import { BulkFigures } from "@/components/bulk/BulkFigures";
import { StopButton } from "@/components/bulk/StopButton";
import { Panel } from "@/components/Panel";
import { Answered } from "@/components/states";

/** What a bulk run, which is a job, has done to other jobs. */
export function BulkPanel({ id }: { id: string }) {
  const query = useQuery(bulkRun(id));
  const run = query.data;
  return (
    <Panel
      title="Bulk run"
      sub={run && lineOf(run)}
      actions={run && !isOver(run) && <StopButton run={run} />}
    >
      <div className="pb bulk-panel">
        <Answered query={query} rows={3}>
          {(found) => (
            <>
              <p className="t-12 ink-3 bulk-what">
                <code>{aboutOf(found)}</code>
                {found.asked_by && `, asked for by ${found.asked_by}`}
              </p>
              <BulkFigures run={found} />
            </>
          )}
        </Answered>
      </div>
    </Panel>
  );
}
