import type { JobSummary } from "@/api/types";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useCommands } from "@/commands/commands";
import { Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Choice, Menu } from "@/components/Menu";
import { NOTHING, type Selection } from "@/components/selection";
import { Empty, ErrorNotice, Loading } from "@/components/states";
import { valueOf } from "@/filter/filter";
import { count, plural } from "@/format/format";
import { View } from "@/shell/View";
import { COLUMNS, columnsOf, columnsParam, shownIds } from "./columns";
import type { JobsSearch, Sort } from "./route";
import { SearchBox } from "./SearchBox";
import { StatusTabs } from "./StatusTabs";
import { useJobList } from "./useJobList";
import "./jobs.css";

const route = getRouteApi("/jobs");

/** The list of jobs. Its URL holds the filter, the order and the columns. */
export function JobsView() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const q = search.q ?? "";
  // The API sorts by the last change only within one status.
  const sort =
    search.sort?.endsWith("status_changed_at") && valueOf(q, "status") === null ? undefined : search.sort;
  const list = useJobList(q, sort);
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const ids = shownIds(search.columns);

  const change = (next: Partial<JobsSearch>) =>
    void navigate({ to: "/jobs", search: { ...search, ...next } });
  const open = (job: JobSummary) => void navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });

  useCommands([
    ...(list.newer > 0
      ? [{ label: `Show ${plural(list.newer, "newer job")}`, key: ".", run: list.showNewer }]
      : []),
    ...(selection.keys.size > 0
      ? [
          {
            label: "Select nothing",
            key: "Escape",
            run: () => {
              setSelection(NOTHING);
            },
          },
        ]
      : []),
  ]);

  const total = list.total ?? (list.isAll ? list.rows.length : null);
  return (
    <View title="Jobs">
      <SearchBox
        value={q}
        found={
          total === null
            ? list.isLoading
              ? ""
              : `${count(list.rows.length)} so far`
            : `${count(total)} match`
        }
        onChange={(next) => {
          change({ q: next || undefined });
        }}
      />
      <div className="row wrap statusbar">
        <StatusTabs search={search} />
        <span className="push" />
        <Menu
          label="Columns"
          buttonClass="btn ghost hide-s"
          button={
            <>
              <Icon name="columns" />
              Columns
            </>
          }
        >
          {COLUMNS.map(({ id, title }) => (
            <Choice
              key={id}
              checked={ids.includes(id)}
              onChange={(on) => {
                change({
                  columns: columnsParam(on ? [...ids, id] : ids.filter((each) => each !== id)),
                });
              }}
            >
              {title}
            </Choice>
          ))}
        </Menu>
      </div>
      {list.error && <ErrorNotice error={list.error} onRetry={list.retry} />}
      <section className="panel" aria-label="Jobs">
        {list.isLoading ? (
          <Loading rows={16} />
        ) : list.rows.length === 0 && list.isAll ? (
          <NoJobs
            q={q}
            newer={list.newer}
            onNewer={list.showNewer}
            onClear={() => {
              change({ q: undefined });
            }}
          />
        ) : (
          <Grid
            label="Jobs"
            className="fit jobs"
            columns={columnsOf(ids)}
            rows={list.rows}
            rowKey={(job) => job.id}
            rowClass={(job) => (list.gone.has(job.id) ? "gone" : "")}
            onOpen={open}
            selection={selection}
            onSelect={setSelection}
            sort={sort ?? "-created_at"}
            onSort={(next) => {
              change({ sort: next === "-created_at" ? undefined : (next as Sort) });
            }}
            onEnd={list.loadMore}
            total={total ?? -1}
            lead={list.newer > 0 && <Newer newer={list.newer} onShow={list.showNewer} />}
          />
        )}
      </section>
      {selection.keys.size > 0 && (
        <SelectionBar
          selection={selection}
          onClear={() => {
            setSelection(NOTHING);
          }}
        />
      )}
    </View>
  );
}

function Newer({ newer, onShow }: { newer: number; onShow: () => void }) {
  return (
    <button type="button" className="newer" onClick={onShow}>
      <Icon name="chevron" size={12} />
      {plural(newer, "newer job")} <kbd>.</kbd>
    </button>
  );
}

/** What is selected. What can be done with it stands here, too. */
function SelectionBar({ selection, onClear }: { selection: Selection; onClear: () => void }) {
  return (
    <div className="bulk" role="region" aria-label="Selection">
      <b>{count(selection.keys.size)} selected</b>
      <button type="button" className="btn ghost" onClick={onClear} aria-label="Select nothing">
        <Icon name="cross" />
      </button>
    </div>
  );
}

interface NoJobsProps {
  q: string;
  newer: number;
  onNewer: () => void;
  onClear: () => void;
}

function NoJobs({ q, newer, onNewer, onClear }: NoJobsProps) {
  if (newer > 0) return <Newer newer={newer} onShow={onNewer} />;
  return q === "" ? (
    <Empty title="No jobs yet.">
      <p>A job appears here as soon as a tracked task is sent, or somebody creates one: POST /api/jobs.</p>
    </Empty>
  ) : (
    <Empty title="No job matches.">
      <p>
        Looked for <code>{q}</code>.
      </p>
      <button type="button" className="btn primary" onClick={onClear}>
        Show all jobs
      </button>
    </Empty>
  );
}
