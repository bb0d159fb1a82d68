import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { jobTypes, performance, stats } from "@/api/queries";
import { useCommands } from "@/commands/commands";
import { Choose } from "@/components/Choose";
import { type Column, Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Answered, Empty } from "@/components/states";
import { jobsWith } from "@/filter/filter";
import { count, duration, plural, UNKNOWN } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { route } from "./route";
import { arranged, rowsOf, type TypeRow } from "./rows";
import { RUNS_OF_JOBS, Success, useUsual } from "./Success";
import type { Figures } from "./usual";
import { windowOf } from "./windows";
import "./types.css";

/** The job types: how often they succeed, and how long they wait and run. */
export function TypesView() {
  const { q = "", sort = "name", window } = route.useSearch();
  const navigate = useNavigate();
  const types = useQuery(jobTypes);
  const report = useQuery({ ...performance(windowOf(window).hours), placeholderData: keepPreviousData });
  const stored = useQuery(stats).data?.by_type;
  const usual = useUsual(window);
  useLive([jobTypes.queryKey], { on: "clock" });
  useLive([["performance"], stats.queryKey]);
  const search = useRef<HTMLInputElement>(null);
  useCommands([
    {
      label: "Find a type",
      key: "/",
      run: () => {
        search.current?.focus();
      },
    },
  ]);
  const change = (next: Partial<typeof route.types.searchSchema>) =>
    void navigate({ to: "/types", search: (old) => ({ ...old, ...next }), replace: true });
  const name = window ?? "24h";

  return (
    <View
      title="Types"
      sub={types.data && `${types.data.length} announced by workers`}
      actions={
        <Choose
          label="Window of time"
          name="window"
          value={window}
          options={[
            ["24h", "24h"],
            ["1h", "1h"],
            ["7d", "7d"],
            ["31d", "31d"],
          ]}
        />
      }
    >
      <section className="panel" aria-label="Types">
        <div className="pb find-type">
          <label className="search">
            <Icon name="search" />
            <span className="sr">Find a type</span>
            <input
              ref={search}
              type="search"
              placeholder="Find a type"
              value={q}
              onChange={(event) => {
                change({ q: event.target.value === "" ? undefined : event.target.value });
              }}
              onKeyDown={(event) => {
                if (event.key === "Escape") event.currentTarget.blur();
              }}
            />
            <kbd>/</kbd>
          </label>
        </div>
        <Answered query={types}>
          {(announced) => {
            const all = rowsOf(announced, report.data?.by_type ?? {}, stored);
            const rows = arranged(all, q, sort);
            if (all.length === 0)
              return (
                <Empty title="No type is known yet.">
                  <p>
                    A tracked worker announces its types when it starts: <Link to="/workers">workers</Link>.
                  </p>
                </Empty>
              );
            if (rows.length === 0)
              return (
                <Empty title={`No type has “${q}” in its name.`}>
                  <button
                    type="button"
                    className="btn primary"
                    onClick={() => {
                      change({ q: undefined });
                    }}
                  >
                    Show all {count(all.length)}
                  </button>
                </Empty>
              );
            return (
              <Grid
                label="Types"
                className="fold types"
                columns={columnsOf(name, report.data?.since, usual.data?.by_type ?? {})}
                rows={rows}
                rowKey={(row) => row.name}
                onOpen={(row) =>
                  void navigate({ to: "/types/$name", params: { name: row.name }, search: { window } })
                }
                sort={sort}
                onSort={(next) => {
                  change({ sort: next === "name" ? undefined : next });
                }}
              />
            );
          }}
        </Answered>
        <div className="pf">
          <span>
            {report.data
              ? `Figures of the ${plural(report.data.overall.count, "run")} that ended in the last ${name}, from whole hours: a job that failed and was retried has two. Percentiles are within 2 %.`
              : "Figures are not there yet."}
          </span>
        </div>
      </section>
    </View>
  );
}

function columnsOf(
  window: string,
  since: string | undefined,
  usual: Readonly<Record<string, Figures>>,
): readonly Column<TypeRow>[] {
  const figure = (
    id: string,
    title: string,
    width: string,
    of: (figures: NonNullable<TypeRow["figures"]>) => number | null,
  ): Column<TypeRow> => ({
    id,
    title,
    width,
    align: "right",
    sort: id,
    cell: ({ figures }) => (figures === null ? UNKNOWN : duration(of(figures))),
  });
  return [
    {
      id: "name",
      title: "Type",
      width: "minmax(160px, 1fr)",
      sort: "name",
      cell: (row) => <Name row={row} />,
    },
    {
      id: "settled",
      title: `Runs, ${window}`,
      width: "84px",
      align: "right",
      sort: "settled",
      cell: ({ name, figures }) => (
        <Link to="/jobs" search={jobsWith({ type: name, finished: since ?? window })} title={RUNS_OF_JOBS}>
          {count(figures?.count ?? 0)}
        </Link>
      ),
    },
    {
      id: "success",
      title: "Success",
      width: "64px",
      align: "right",
      sort: "success",
      cell: ({ name, figures }) => <Success figures={figures} usual={usual[name]} />,
    },
    figure("run50", "Run p50", "64px", ({ run }) => run.p50_s),
    figure("run95", "Run p95", "64px", ({ run }) => run.p95_s),
    figure("run99", "Run p99", "64px", ({ run }) => run.p99_s),
    figure("wait50", "Wait p50", "64px", ({ wait }) => wait.p50_s),
    figure("wait95", "Wait p95", "64px", ({ wait }) => wait.p95_s),
    figure("wait99", "Wait p99", "64px", ({ wait }) => wait.p99_s),
    {
      id: "redelivered",
      title: "Redelivered",
      width: "76px",
      align: "right",
      sort: "redelivered",
      cell: ({ figures }) => count(figures?.redeliveries),
    },
    {
      id: "jobs",
      title: "Stored",
      width: "72px",
      align: "right",
      sort: "jobs",
      cell: ({ name, jobs }) => (
        <Link to="/jobs" search={jobsWith({ type: name })}>
          {count(jobs)}
        </Link>
      ),
    },
  ];
}

function Name({ row: { name, type } }: { row: TypeRow }) {
  return (
    <span className="row">
      <Link to="/types/$name" params={{ name }} className="m plain" tabIndex={-1}>
        {name}
      </Link>
      {type === null ? (
        <span className="dim t-12 cut">no worker announces it</span>
      ) : (
        <span className="dim t-12 cut hide-s" title={type.description}>
          {type.description}
        </span>
      )}
    </span>
  );
}
