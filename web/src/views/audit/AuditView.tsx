import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useMay } from "@/api/session";
import { useCommands } from "@/commands/commands";
import { Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Answered, Empty } from "@/components/states";
import { Time } from "@/components/Time";
import { plural } from "@/format/format";
import { View } from "@/shell/View";
import { AuditFilters } from "./AuditFilters";
import { COLUMNS } from "./columns";
import { EntryDialog } from "./EntryDialog";
import { type AuditSearch, isNarrowed } from "./search";
import { useAudit } from "./useAudit";
import "./audit.css";

const route = getRouteApi("/audit");

/** Who changed what. Its URL has the filters, the page, and the entry that is looked at. */
export function AuditView() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/audit" });
  const list = useAudit(search);
  const isAdmin = useMay("admin");
  const change = (next: Partial<AuditSearch>) =>
    void navigate({ search: (old) => ({ ...old, ...next }), resetScroll: false });
  const isFirst = search.cursor === undefined;
  const newer = isFirst ? list.newer : 0;
  useCommands(
    newer > 0
      ? [{ label: `Show ${plural(newer, "newer entry", "newer entries")}`, key: ".", run: list.showNewer }]
      : [],
  );
  const looked = list.rows.find(({ id }) => id === search.entry);

  return (
    <View title="Audit" sub="every request that asked for a change">
      {isAdmin && (
        <AuditFilters
          search={search}
          actions={[...new Set(list.rows.map(({ action }) => action))].sort()}
          onChange={(next) => {
            change({ ...next, cursor: undefined, entry: undefined });
          }}
        />
      )}
      {list.cutBefore !== null && (
        <div className="notice warn">
          <Icon name="alert" />
          <div>
            <b>
              Entries up to <Time at={list.cutBefore} /> are not there any more:
            </b>{" "}
            there were more than <code>AUDIT_MAX_ENTRIES</code>, and the oldest were removed before their age.
          </div>
        </div>
      )}
      <section className="panel" aria-label="Audit">
        <Answered query={list.query} rows={12}>
          {() =>
            list.rows.length === 0 ? (
              <NoEntries search={search} next={list.next} newer={newer} onNewer={list.showNewer} />
            ) : (
              <Grid
                label="Audit"
                className="fold audit"
                columns={COLUMNS}
                rows={list.rows}
                rowKey={({ id }) => id}
                onOpen={({ id }) => {
                  change({ entry: id });
                }}
                total={list.next === null && isFirst ? list.rows.length : -1}
                lead={newer > 0 && <Newer newer={newer} onShow={list.showNewer} />}
              />
            )
          }
        </Answered>
        {list.rows.length > 0 && (
          <nav className="pf" aria-label="Pages">
            <span>{plural(list.rows.length, "entry", "entries")}, the latest first</span>
            <span className="push row">
              {!isFirst && (
                <Link to="/audit" search={{ ...search, cursor: undefined }} className="btn small">
                  Latest
                </Link>
              )}
              {list.next === null ? (
                <span>This is the end of the list.</span>
              ) : (
                <Older search={search} next={list.next} />
              )}
            </span>
          </nav>
        )}
      </section>
      {looked && (
        <EntryDialog
          entry={looked}
          onClose={() => {
            change({ entry: undefined });
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
      {plural(newer, "newer entry", "newer entries")} <kbd>.</kbd>
    </button>
  );
}

function Older({ search, next }: { search: AuditSearch; next: string }) {
  return (
    <Link to="/audit" search={{ ...search, cursor: next, entry: undefined }} className="btn small">
      Older
    </Link>
  );
}

interface NoEntriesProps {
  search: AuditSearch;
  next: string | null;
  newer: number;
  onNewer: () => void;
}

function NoEntries({ search, next, newer, onNewer }: NoEntriesProps) {
  if (newer > 0) return <Newer newer={newer} onShow={onNewer} />;
  if (next !== null)
    return (
      <Empty title="None of the entries that were looked at matches.">
        <p>Only a part was looked at. The list goes on with older entries.</p>
        <Older search={search} next={next} />
      </Empty>
    );
  if (isNarrowed(search) || search.cursor !== undefined)
    return (
      <Empty title="No entry matches.">
        <Link to="/audit" className="btn primary">
          Show all
        </Link>
      </Empty>
    );
  return (
    <Empty title="Nobody has asked for a change yet.">
      <p>Each request that asks for a change has an entry here, also one that is refused.</p>
    </Empty>
  );
}
