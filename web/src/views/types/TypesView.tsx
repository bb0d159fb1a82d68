import type { JobType } from "@/api/types";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { jobTypes, stats } from "@/api/queries";
import type { Column } from "@/components/Grid";
import { Panel } from "@/components/Panel";
import { Answered, Empty } from "@/components/states";
import { Table } from "@/components/Table";
import { jobsWith } from "@/filter/filter";
import { count, plural, UNKNOWN } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";

/** The job types that workers have announced. */
export function TypesView() {
  const types = useQuery(jobTypes);
  const figures = useQuery(stats).data;
  useLive([jobTypes.queryKey], { on: "clock" });
  const columns: readonly Column<JobType>[] = [
    {
      id: "name",
      title: "Type",
      width: "minmax(140px, 1fr)",
      cell: ({ name }) => <b className="m">{name}</b>,
    },
    { id: "task", title: "Task", width: "minmax(140px, 1fr)", cell: ({ task }) => <code>{task}</code> },
    {
      id: "queue",
      title: "Queue",
      width: "96px",
      cell: ({ queue }) => (queue ? <code>{queue}</code> : <span className="dim">default</span>),
    },
    {
      id: "jobs",
      title: "Jobs",
      width: "72px",
      align: "right",
      cell: ({ name }) => (
        <Link to="/jobs" search={jobsWith({ type: name })}>
          {figures ? count(figures.by_type[name] ?? 0) : UNKNOWN}
        </Link>
      ),
    },
    {
      id: "about",
      title: "About",
      width: "minmax(160px, 2fr)",
      cell: ({ description }) => (
        <span className="dim" title={description}>
          {description}
        </span>
      ),
    },
  ];
  return (
    <View title="Types">
      <Panel title="Types" sub={types.data && plural(types.data.length, "type")}>
        <Answered query={types}>
          {(rows) => (
            <Table
              label="Types"
              columns={columns}
              rows={rows}
              rowKey={({ name }) => name}
              empty={
                <Empty title="No type is known yet.">
                  <p>A tracked worker announces its types when it starts.</p>
                </Empty>
              }
            />
          )}
        </Answered>
      </Panel>
    </View>
  );
}
