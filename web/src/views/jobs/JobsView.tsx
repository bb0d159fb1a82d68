import type { JobSummary } from "@/api/types";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { ApiError } from "@/api/client";
import { useCommands } from "@/commands/commands";
import { Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { NOTHING, type Selection } from "@/components/selection";
import { Empty, ErrorNotice, Loading } from "@/components/states";
import { valueOf } from "@/filter/filter";
import { count, plural } from "@/format/format";
import { View } from "@/shell/View";
import { columnsOf, shownIds } from "./columns";
import { ColumnsMenu } from "./ColumnsMenu";
import type { JobsSearch, Sort } from "./route";
import { sortOf } from "./pages";
import { SavedLinks, SaveFilter } from "./SavedFilters";
import { SearchBox } from "./SearchBox";
import { SelectionBar, useAllowed } from "./SelectionBar";
import { StatusTabs } from "./StatusTabs";
import { useJobList } from "./useJobList";
import "./jobs.css";

const route = getRouteApi("/jobs");
/** The API reads no longer filter. */
const MOST_CHARACTERS = 2000;

/** The list of jobs. Its URL holds the filter, the order and the columns. */
export function JobsView() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const q = search.q ?? "";
  const sort = sortOf(search);
  const list = useJobList(q, sort);
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const maySelect = useAllowed().length > 0;
  const ids = useMemo(() => shownIds(search.columns), [search.columns]);
  const hasStatus = valueOf(q, "status") !== null;
  const columns = useMemo(() => columnsOf(ids, hasStatus, list.rows), [ids, hasStatus, list.rows]);
  const selected = list.rows.filter(({ id }) => selection.keys.has(id));
  const [filter, setFilter] = useState(q);
  if (filter !== q) {
    setFilter(q);
    setSelection(NOTHING); // what is selected is in sight
  }

  const change = (next: Partial<JobsSearch>) =>
    void navigate({ to: "/jobs", search: { ...search, ...next } });
  const open = (job: JobSummary) => void navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });

  useCommands([
    ...(list.newer > 0
      ? [{ label: `Show ${plural(list.newer, "newer job")}`, key: ".", run: list.showNewer }]
      : []),
  ]);

  const problem = list.error instanceof ApiError && list.error.place !== null ? list.error : null;
  const isLong = list.error instanceof ApiError && list.error.status === 422 && q.length > MOST_CHARACTERS;
  const total = list.total ?? (list.isAll ? list.rows.length : null);
  return (
    <View title="Jobs" actions={<SavedLinks />}>
      <SearchBox
        value={q}
        found={
          total === null
            ? list.isLoading
              ? ""
              : soFar(list.rows.length, list.looked)
            : `${count(total)} match`
        }
        problem={problem}
        onChange={(next) => {
          change({ q: next || undefined });
        }}
      />
      <div className="row wrap statusbar">
        <StatusTabs search={search} />
        <span className="push" />
        <ColumnsMenu
          ids={ids}
          onChange={(columns) => {
            change({ columns });
          }}
        />
        <SaveFilter search={search} />
      </div>
      {list.error && !problem && !isLong && <ErrorNotice error={list.error} onRetry={list.retry} />}
      <section className="panel" aria-label="Jobs">
        {isLong ? (
          <Empty title="The filter is too long.">
            <p>
              It has {count(q.length)} characters. At most {count(MOST_CHARACTERS)} are read: leave out a part
              of it.
            </p>
            <button
              type="button"
              className="btn primary"
              onClick={() => {
                change({ q: undefined });
              }}
            >
              Show all jobs
            </button>
          </Empty>
        ) : problem ? (
          <Empty title="The filter can’t be read." />
        ) : list.isLoading ? (
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
            columns={columns}
            rows={list.rows}
            rowKey={(job) => job.id}
            rowClass={(job) => (list.gone.has(job.id) ? "gone" : "")}
            onOpen={open}
            selection={selection}
            onSelect={maySelect ? setSelection : undefined}
            sort={sort ?? "-created_at"}
            onSort={(next) => {
              change({ sort: next === "-created_at" ? undefined : (next as Sort) });
            }}
            onEnd={list.loadMore}
            onSight={list.setSight}
            total={total ?? -1}
            lead={list.newer > 0 && <Newer newer={list.newer} onShow={list.showNewer} />}
          />
        )}
      </section>
      <SelectionBar
        jobs={maySelect ? selected : []}
        q={q}
        total={total}
        hasMore={!list.isAll}
        onClear={() => {
          setSelection(NOTHING);
        }}
      />
    </View>
  );
}

/** How many were found, and how far that looked. */
function soFar(found: number, looked: number): string {
  return looked > found ? `${count(found)} among ${plural(looked, "job")}` : `${count(found)} loaded`;
}

function Newer({ newer, onShow }: { newer: number; onShow: () => void }) {
  return (
    <button type="button" className="newer" onClick={onShow}>
      <Icon name="chevron" size={12} />
      {plural(newer, "newer job")} <kbd>.</kbd>
    </button>
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
