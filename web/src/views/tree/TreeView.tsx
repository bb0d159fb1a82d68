import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { treeOutline } from "@/api/queries";
import { MOST_ROWS, STATUSES } from "@/api/types";
import { useMay } from "@/api/session";
import { useCommands } from "@/commands/commands";
import { CancelDialog } from "@/components/CancelDialog";
import { Icon, StatusIcon } from "@/components/Icon";
import { Answered } from "@/components/states";
import { useNow } from "@/components/Time";
import { count, plural } from "@/format/format";
import { useConnection } from "@/live/connection";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { type Axis, axisOf, printAxis } from "./axis";
import { criticalPath } from "./criticalPath";
import { CriticalPathPanel } from "./CriticalPathPanel";
import { countsOf, incompleteIn, isOpen, type Outline, type Tree, treeOf } from "./outline";
import { RetryBelow } from "./RetryBelow";
import type { TreeSearch } from "./route";
import { type Row, rowsOf } from "./rows";
import { Waterfall, type WaterfallHandle } from "./Waterfall";
import "./tree.css";

const route = getRouteApi("/jobs/$jobId/tree");
const NO_PATH: ReadonlySet<number> = new Set();
/** The axis ends a little behind the last time. */
const MARGIN = 0.01;
/** The URL follows the axis when that has come to rest. */
const REST_MS = 300;

/** A tree of jobs: tree and waterfall in one, with what its end depends on. */
export function TreeView() {
  const { jobId } = route.useParams();
  const outline = useQuery(treeOutline(jobId));
  const name = outline.data?.[0]?.name[0] ?? "Job";
  return (
    <View title={`Tree of ${name}`} heading={<Heading name={name} id={jobId} />}>
      <Answered query={outline} rows={16}>
        {(pages) => <Shown key={jobId} jobId={jobId} pages={pages} />}
      </Answered>
    </View>
  );
}

function Shown({ jobId, pages }: { jobId: string; pages: readonly Outline[] }) {
  const search = route.useSearch();
  const navigate = useNavigate();
  const { state } = useConnection();
  const tree = useMemo(() => treeOf(pages), [pages]);
  const isLive = isOpen(tree, 0);
  const clock = useNow();
  const now = isLive ? Math.max(clock, tree.to) : tree.to;
  const path = useMemo(() => (tree.isPart ? null : criticalPath(tree, now)), [tree, now]);
  const ids = useMemo(() => new Set(tree.columns.id), [tree]);
  useLive([treeOutline(jobId).queryKey], { job: (id) => ids.has(id) });

  const change = useCallback(
    (next: (search: TreeSearch) => TreeSearch) =>
      void navigate({
        to: "/jobs/$jobId/tree",
        params: { jobId },
        search: next,
        replace: true,
        resetScroll: false,
      }),
    [navigate, jobId],
  );
  const whole = useMemo(() => wholeOf(tree, now), [tree, now]);
  const [axis, setAxis] = useState<Axis | null>(() => axisOf(search.zoom, whole));
  const zoom = printAxis(axis, whole);
  useEffect(() => {
    const timer = window.setTimeout(() => {
      change((before) => (before.zoom === zoom ? before : { ...before, zoom }));
    }, REST_MS);
    return () => {
      window.clearTimeout(timer);
    };
  }, [zoom, change]);

  const marksPath = search.path === undefined;
  const rows = useMemo(
    () =>
      rowsOf(tree, {
        toggled: new Set(search.toggled?.split(",")),
        fold: search.fold === undefined,
        path: marksPath && path ? new Set(path.rows) : NO_PATH,
        status: search.status,
        words: search.q,
      }),
    [tree, path, marksPath, search.toggled, search.fold, search.status, search.q],
  );
  const toggle = useCallback(
    (row: Row) => {
      change((before) => ({ ...before, toggled: toggledText(before.toggled, row.key) }));
    },
    [change],
  );

  const waterfall = useRef<WaterfallHandle>(null);
  const words = useRef<HTMLInputElement>(null);
  const [active, setActive] = useState<number | null>(0);
  const [retrying, setRetrying] = useState<number | null>(null);
  const [cancelling, setCancelling] = useState<number | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  const counts = useMemo(() => countsOf(tree, 0), [tree]);
  const open = useCallback(
    (row: number) => void navigate({ to: "/jobs/$jobId", params: { jobId: tree.columns.id[row] ?? jobId } }),
    [navigate, tree, jobId],
  );
  const isAway = state === "off";
  const mayControl = useMay("jobs:control");
  const target = active ?? 0;
  const below = tree.isPart || !mayControl ? 0 : incompleteIn(tree, target);
  const incomplete = tree.isPart || !mayControl ? 0 : incompleteIn(tree, 0);
  useCommands([
    {
      label: "Find in this tree",
      key: "/",
      run: () => {
        words.current?.focus();
      },
    },
    {
      label: "Mark the critical path, or do not",
      key: "p",
      run: () => {
        change((before) => ({ ...before, path: before.path ? undefined : "off" }));
      },
    },
    {
      label: "Fold what is alike, or do not",
      key: "f",
      run: () => {
        change((before) => ({ ...before, fold: before.fold ? undefined : "off", toggled: undefined }));
      },
    },
    ...(below > 0 && !isAway
      ? [
          {
            label: `Retry ${plural(below, "job")} that did not complete…`,
            key: "r",
            run: () => {
              setRetrying(target);
            },
          },
        ]
      : []),
    ...(mayControl && isOpen(tree, target) && !tree.isPart && !isAway
      ? [
          {
            label: "Cancel the job of the row…",
            key: "c",
            run: () => {
              setCancelling(target);
            },
          },
        ]
      : []),
  ]);

  return (
    <>
      <div className="row wrap">
        <span className="ink-2 t-12" role="status">
          {said ??
            (tree.isCut
              ? `The first ${count(MOST_ROWS)} jobs of a larger tree.`
              : tree.isPart
                ? `The first ${count(tree.size)} jobs; the others follow.`
                : null)}
        </span>
        <span className="push row tree-actions">
          {mayControl && isLive && !tree.isPart && (
            <button
              type="button"
              className="btn"
              disabled={isAway}
              onClick={() => {
                setCancelling(0);
              }}
            >
              Cancel…
            </button>
          )}
          {incomplete > 0 && (
            <button
              type="button"
              className="btn primary"
              disabled={isAway}
              onClick={() => {
                setRetrying(0);
              }}
            >
              Retry {count(incomplete)} that did not complete… {target === 0 && <kbd>r</kbd>}
            </button>
          )}
        </span>
      </div>
      {marksPath && path && (
        <CriticalPathPanel
          tree={tree}
          path={path}
          onGo={(row) => {
            waterfall.current?.goTo(row);
          }}
        />
      )}
      <div className="row wrap tree-tools">
        <label className="input tree-find">
          <Icon name="search" />
          <input
            ref={words}
            aria-label="Find in this tree"
            placeholder={`Find in ${plural(tree.size, "job")}`}
            value={search.q ?? ""}
            onChange={(event) => {
              const q = event.target.value || undefined;
              change((before) => ({ ...before, q }));
            }}
          />
          <kbd>/</kbd>
        </label>
        <div className="seg" role="group" aria-label="Status">
          <button
            type="button"
            aria-pressed={search.status === undefined}
            onClick={() => {
              change((before) => ({ ...before, status: undefined }));
            }}
          >
            All
          </button>
          {STATUSES.map((status) => (
            <button
              key={status}
              type="button"
              aria-pressed={search.status === status}
              aria-label={tree.isPart ? status : `${count(counts[status])} ${status}`}
              title={status}
              onClick={() => {
                change((before) => ({ ...before, status: before.status === status ? undefined : status }));
              }}
            >
              <span className="row st">
                <StatusIcon status={status} />
                {!tree.isPart && count(counts[status])}
              </span>
            </button>
          ))}
        </div>
        <Switch
          label="Critical path"
          letter="p"
          isOn={marksPath}
          onChange={() => {
            change((before) => ({ ...before, path: before.path ? undefined : "off" }));
          }}
        />
        <Switch
          label="Fold what is alike"
          letter="f"
          isOn={search.fold === undefined}
          onChange={() => {
            change((before) => ({ ...before, fold: before.fold ? undefined : "off", toggled: undefined }));
          }}
        />
        <span className="push t-12 ink-3 hide-s">
          <kbd>←</kbd> <kbd>→</kbd> fold <kbd>+</kbd> <kbd>-</kbd> zoom <kbd>0</kbd> all
        </span>
      </div>
      <Waterfall
        handle={waterfall}
        tree={tree}
        rows={rows}
        path={marksPath ? path : null}
        whole={whole}
        axis={axis}
        now={now}
        isLive={isLive}
        onAxis={setAxis}
        onActive={setActive}
        onOpen={open}
        onToggle={toggle}
        onRetry={mayControl ? setRetrying : null}
        foot={<Legend />}
      />
      {retrying !== null && (
        <RetryBelow
          tree={tree}
          row={retrying}
          onClose={() => {
            setRetrying(null);
          }}
        />
      )}
      {cancelling !== null && (
        <CancelDialog
          job={{
            id: tree.columns.id[cancelling] ?? jobId,
            name: tree.columns.name[cancelling] ?? "",
            status: tree.status[cancelling] ?? "pending",
            sub_job_counts: null,
          }}
          open={openBelow(tree, cancelling)}
          onDone={setSaid}
          onClose={() => {
            setCancelling(null);
          }}
        />
      )}
    </>
  );
}

function wholeOf(tree: Tree, now: number): Axis {
  const span = Math.max(1, now - tree.from);
  return { from: tree.from, to: now + span * MARGIN };
}

function openBelow(tree: Tree, row: number): number {
  const counts = countsOf(tree, row);
  const own = isOpen(tree, row) ? 1 : 0;
  return counts.pending + counts.running + counts.retrying - own;
}

function toggledText(text: string | undefined, key: string): string | undefined {
  const keys = new Set(text?.split(","));
  if (!keys.delete(key)) keys.add(key);
  return [...keys].join(",") || undefined;
}

function Switch({
  label,
  letter,
  isOn,
  onChange,
}: {
  label: string;
  letter: string;
  isOn: boolean;
  onChange: () => void;
}) {
  return (
    <button
      type="button"
      role="switch"
      aria-checked={isOn}
      className={`switch tree-switch ${isOn ? "on" : ""}`}
      onClick={onChange}
    >
      <i aria-hidden="true" />
      {label} <kbd>{letter}</kbd>
    </button>
  );
}

const FILLS = [
  ["f-wait", "waits"],
  ["f-running", "running"],
  ["f-completed", "completed"],
  ["f-failed", "failed"],
  ["f-retrying", "to be retried"],
  ["f-cancelled", "cancelled"],
  ["f-critical", "critical path"],
] as const;

function Legend() {
  return (
    <div className="pf">
      <span className="legend">
        {FILLS.map(([fill, name]) => (
          <span key={fill}>
            <svg className="k" aria-hidden="true">
              <rect x="1" y="1" width="16" height="7" className={fill} />
            </svg>
            {name}
          </span>
        ))}
      </span>
      <span className="push hide-s">
        Folded: sub-jobs of one status and type; heights are how many ran, dots that some waited.
      </span>
    </div>
  );
}

function Heading({ name, id }: { name: string; id: string }) {
  return (
    <>
      <Link to="/jobs" className="btn ghost crumb hide-s">
        Jobs
      </Link>
      <span className="ink-3 hide-s" aria-hidden="true">
        /
      </span>
      <Link to="/jobs/$jobId" params={{ jobId: id }} className="plain ink-2 cut">
        {name}
      </Link>
      <span className="ink-3" aria-hidden="true">
        /
      </span>
      <h1 className="tree-title">
        <span className="sr">{name}: </span>Tree
      </h1>
    </>
  );
}
