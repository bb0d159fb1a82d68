import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { failureCount } from "@/api/queries";
import { useMay } from "@/api/session";
import type { FailureAction, FailureGroup } from "@/api/types";
import { markFailure, markFailures, useWrite } from "@/api/writes";
import { useCommands } from "@/commands/commands";
import { Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { NOTHING, type Selection } from "@/components/selection";
import { Answered, Empty, ErrorNotice } from "@/components/states";
import { count, plural } from "@/format/format";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { columnsOf } from "./columns";
import { FailureDetail } from "./FailureDetail";
import { ACTIONS, type Marking } from "./groups";
import { MarkBar } from "./MarkBar";
import { type FailuresSearch, type FailureSort, type Tab, TABS, wantedOf } from "./search";
import { useGroups } from "./useGroups";
import "./failures.css";

const route = getRouteApi("/failures");
const TITLES = { open: "Open", resolved: "Resolved", ignored: "Ignored" } as const;
const FILTERS = ["type", "error", "queue", "release"] as const;

/** Failures by error: the groups, and beside them the one that is looked at. Its URL is its whole state. */
export function FailuresView() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const list = useGroups(wantedOf(search));
  const tab = search.state ?? "open";
  const looked = search.group ?? list.rows[0]?.group.id;
  const write = useWrite(
    ({ id, action }: Marking) => markFailure(id, action),
    () => [["failures"], ["attention"]],
  );
  const writeAll = useWrite(
    ({ ids, action }: { ids: readonly string[]; action: FailureAction }) => markFailures(ids, action),
    () => [["failures"], ["attention"]],
  );
  const marking = write.isPending ? write.variables : null;
  const [selection, setSelection] = useState<Selection>(NOTHING);
  const mayMark = useMay("jobs:control");
  const [shown, setShown] = useState(tab);
  if (shown !== tab) {
    setShown(tab);
    setSelection(NOTHING); // what is selected is in sight
  }
  const selected = list.rows.filter(({ group }) => selection.keys.has(group.id)).map(({ group }) => group);

  const change = (next: Partial<FailuresSearch>) =>
    void navigate({ to: "/failures", search: { ...search, ...next }, replace: true });
  useCommands(
    list.newer > 0
      ? [{ label: `Show ${plural(list.newer, "newer group")}`, key: ".", run: list.showNewer }]
      : [],
  );

  return (
    <View title="Failures" actions={<Tabs search={search} />}>
      <Filters search={search} />
      {writeAll.error && <ErrorNotice error={writeAll.error} />}
      <div className={`cols failures-cols ${search.group === undefined ? "" : "has-group"}`}>
        <section className="panel failures-list" aria-label="Groups of failures">
          <Answered query={list.query} rows={8}>
            {() =>
              list.rows.length === 0 && list.newer === 0 ? (
                <NoGroups search={search} />
              ) : (
                <Grid
                  label="Groups of failures"
                  className="fit failures"
                  columns={columnsOf(list.rows, marking)}
                  rows={list.rows}
                  rowKey={({ group }) => group.id}
                  rowClass={({ group, isGone }) =>
                    `${group.id === looked ? "sel" : ""} ${isGone ? "gone" : ""}`
                  }
                  onActive={({ group }) => {
                    if (group.id !== search.group) change({ group: group.id });
                  }}
                  onOpen={({ group }) => {
                    change({ group: group.id });
                  }}
                  selection={selection}
                  onSelect={mayMark ? setSelection : undefined}
                  sort={search.sort ?? "-last_seen"}
                  onSort={(sort) => {
                    const down = (sort.startsWith("-") ? sort : `-${sort}`) as FailureSort;
                    change({ sort: down === "-last_seen" ? undefined : down });
                  }}
                  total={list.isAll ? list.rows.length : -1}
                  lead={
                    list.newer > 0 && (
                      <button type="button" className="newer" onClick={list.showNewer}>
                        <Icon name="chevron" size={12} />
                        {plural(list.newer, "newer group")} <kbd>.</kbd>
                      </button>
                    )
                  }
                />
              )
            }
          </Answered>
          {list.rows.length > 0 && <Foot rows={list.rows.map(({ group }) => group)} list={list} tab={tab} />}
        </section>
        {looked !== undefined && (
          <FailureDetail
            key={looked}
            id={looked}
            search={search}
            marking={marking?.id === looked ? marking : null}
            isAside={selected.length > 0}
            isChosen={search.group !== undefined}
            error={write.variables?.id === looked ? write.error : null}
            onMark={(action) => {
              write.mutate({ id: looked, action });
            }}
          />
        )}
      </div>
      {mayMark && selected.length > 0 && (
        <MarkBar
          groups={selected}
          doing={writeAll.isPending ? writeAll.variables.action : null}
          onMark={(action) => {
            const ids = selected.map(({ id }) => id);
            writeAll.mutate(
              { ids, action },
              {
                onSuccess: () => {
                  setSelection(NOTHING);
                },
              },
            );
          }}
          onClear={() => {
            setSelection(NOTHING);
          }}
        />
      )}
      <p className="sr" role="status">
        {writeAll.isSuccess &&
          `${plural(writeAll.variables.ids.length, "group")}: ${ACTIONS[writeAll.variables.action].done}.`}
        {write.isSuccess && `The group is ${ACTIONS[write.variables.action].done}.`}
      </p>
    </View>
  );
}

function Tabs({ search }: { search: FailuresSearch }) {
  return (
    <nav className="seg" aria-label="Which groups">
      {TABS.map((tab) => (
        <Link
          key={tab}
          to="/failures"
          search={{ ...search, state: tab === "open" ? undefined : tab, group: undefined }}
          replace
          activeOptions={{ explicitUndefined: true }}
          aria-current={(search.state ?? "open") === tab ? "true" : undefined}
        >
          <span>
            {TITLES[tab]} <TabCount search={search} tab={tab} />
          </span>
        </Link>
      ))}
    </nav>
  );
}

const BEATS = 6;

/** How many groups a tab has, of those that the filter leaves; with a `+` if there are more than one look finds. */
function TabCount({ search, tab }: { search: FailuresSearch; tab: Tab }) {
  const wanted = failureCount(wantedOf({ ...search, state: tab, sort: undefined }));
  const { data } = useQuery(wanted);
  useLive([wanted.queryKey], { on: "clock", beats: BEATS });
  if (!data) return null;
  return (
    <span className="ink-3 hide-s">
      {count(data.count)}
      {!data.isAll && "+"}
    </span>
  );
}

/** What the list is narrowed to, by links from elsewhere. */
function Filters({ search }: { search: FailuresSearch }) {
  const named = FILTERS.filter((name) => search[name] !== undefined);
  if (named.length === 0) return null;
  return (
    <div className="row wrap" role="group" aria-label="Filter">
      {named.map((name) => (
        <span className="q" key={name}>
          <b>{name}:</b>
          <span>{search[name]}</span>
          <Link
            to="/failures"
            search={{ ...search, [name]: undefined }}
            replace
            className="x"
            aria-label={`Remove ${name}`}
          >
            <Icon name="cross" size={12} />
          </Link>
        </span>
      ))}
    </div>
  );
}

function Foot({
  rows,
  list,
  tab,
}: {
  rows: readonly FailureGroup[];
  list: ReturnType<typeof useGroups>;
  tab: keyof typeof TITLES;
}) {
  const jobs = rows.reduce((sum, group) => sum + group.jobs, 0);
  return (
    <div className="pf wrap">
      <span>
        {list.isAll ? "" : "The first "}
        {plural(rows.length, `${tab} group`)}, {plural(jobs, "job")}
      </span>
      {!list.isAll && list.showMore && (
        <button type="button" className="btn ghost small" onClick={list.showMore}>
          Show more
        </button>
      )}
      <span className="push">&lt;n&gt;, &lt;id&gt; … are placeholders for varying text</span>
    </div>
  );
}

function NoGroups({ search }: { search: FailuresSearch }) {
  const isNarrowed = FILTERS.some((name) => search[name] !== undefined);
  const all = (
    <Link to="/failures" search={{ state: search.state }} replace className="btn primary">
      Show all
    </Link>
  );
  if (isNarrowed) return <Empty title="No group of failures matches.">{all}</Empty>;
  if (search.state === "resolved")
    return (
      <Empty title="No group is resolved.">
        <p>Resolve a group once it is fixed. It is regressed if it fails again.</p>
      </Empty>
    );
  if (search.state === "ignored")
    return (
      <Empty title="No group is ignored.">
        <p>Ignored groups are counted as before, and are not named in What needs you.</p>
      </Empty>
    );
  return (
    <Empty title="No open failure groups.">
      <p>Jobs that fail with the same error at the same place are one group here.</p>
    </Empty>
  );
}
