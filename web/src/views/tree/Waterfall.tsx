import { useWindowVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type ReactNode,
  type Ref,
  useEffect,
  useImperativeHandle,
  useMemo,
  useRef,
  useState,
} from "react";
import { useCommands } from "@/commands/commands";
import { count, plural } from "@/format/format";
import { ticks } from "@/format/ticks";
import { type Axis, moved, zoomed } from "./axis";
import { placeOf, type Plot } from "./Bars";
import type { CriticalPath } from "./criticalPath";
import { Overview } from "./Overview";
import type { Tree } from "./outline";
import type { Row } from "./rows";
import { type RowActions, TreeRow } from "./TreeRow";
import { PHONE_PLOT_PX, PHONE_ROW_PX, useRowHeight, useWheel } from "./useRows";
import { Connectors } from "./Connectors";

export interface WaterfallHandle {
  /** Bring a job's row into sight, and focus it. */
  readonly goTo: (row: number) => void;
}

interface WaterfallProps extends RowActions {
  handle: Ref<WaterfallHandle>;
  tree: Tree;
  rows: readonly Row[];
  /** Null: it is not marked. */
  path: CriticalPath | null;
  whole: Axis;
  axis: Axis | null;
  now: number;
  isLive: boolean;
  onAxis: (axis: Axis | null) => void;
  /** The job of the row that has the focus has changed: null for a folded row. */
  onActive: (row: number | null) => void;
  onOpen: (row: number) => void;
  foot: ReactNode;
}

const OVERSCAN = 10;
const ZOOM = 0.5;
/** How much of what is shown a key moves. */
const STEP = 0.25;
const TICK_PX = 90;

/** Tree and waterfall in one: they share rows, of which only those in sight are in the document. */
export function Waterfall(props: WaterfallProps) {
  const { tree, rows, path, whole, now, onAxis } = props;
  const body = useRef<HTMLDivElement>(null);
  const plotHead = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const [offset, setOffset] = useState(0);
  const [width, setWidth] = useState(0);
  const rowPx = useRowHeight();
  const axis = props.axis ?? whole;
  // One object as long as it says the same: rows that stay need not be drawn again.
  const { from: axisFrom, to: axisTo } = axis;
  const plot = useMemo<Plot>(
    () => ({
      axis: { from: axisFrom, to: axisTo },
      width,
      height: rowPx === PHONE_ROW_PX ? PHONE_PLOT_PX : rowPx,
      now,
    }),
    [axisFrom, axisTo, width, rowPx, now],
  );
  const current = Math.min(active, rows.length - 1);
  const critical = useMemo(() => spansOf(path), [path]);

  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => rowPx,
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: OVERSCAN,
    scrollMargin: offset,
    scrollPaddingStart: 140,
    scrollPaddingEnd: 90,
  });
  useEffect(() => {
    virtualizer.measure();
  }, [virtualizer, rowPx]);

  useEffect(() => {
    const measure = () => {
      if (body.current) setOffset(body.current.getBoundingClientRect().top + window.scrollY);
      if (plotHead.current) setWidth(Math.floor(plotHead.current.clientWidth));
    };
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    if (plotHead.current) observer.observe(plotHead.current);
    measure();
    return () => {
      observer.disconnect();
    };
  }, []);

  useWheel(
    body,
    (share, factor) => {
      const around = axis.from + share * (axis.to - axis.from);
      onAxis(zoomed(axis, factor, around, whole));
    },
    (share) => {
      if (props.axis) onAxis(moved(axis, share, whole));
    },
  );

  function move(to: number): void {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    setActive(index);
    const row = rows[index];
    props.onActive(row?.kind === "job" ? row.row : null);
    virtualizer.scrollToIndex(index, { align: "auto" });
    const focus = () => {
      const element = body.current?.querySelector<HTMLElement>(`[data-index="${index}"]`);
      element?.focus({ preventScroll: true });
      return element != null;
    };
    // At once, so that the next key finds it there; a row out of sight is drawn first.
    if (!focus()) requestAnimationFrame(focus);
  }

  useImperativeHandle(props.handle, () => ({
    goTo: (row) => {
      const index = rows.findIndex((each) => each.kind === "job" && each.row === row);
      if (index >= 0) move(index);
    },
  }));

  const isFocused = () => body.current?.contains(document.activeElement) ?? false;
  const middle = (axis.from + axis.to) / 2;
  const closer = () => {
    onAxis(zoomed(axis, ZOOM, middle, whole));
  };
  useCommands([
    {
      label: "Next row",
      key: "j",
      keyOnly: true,
      run: () => {
        move(isFocused() ? current + 1 : current);
      },
    },
    {
      label: "Previous row",
      key: "k",
      keyOnly: true,
      run: () => {
        move(isFocused() ? current - 1 : current);
      },
    },
    { label: "Zoom in", key: "+", keyOnly: true, run: closer },
    { label: "Zoom in, without shift", key: "=", keyOnly: true, run: closer },
    {
      label: "Zoom out",
      key: "-",
      keyOnly: true,
      run: () => {
        onAxis(zoomed(axis, 1 / ZOOM, middle, whole));
      },
    },
    {
      label: "Move to earlier",
      key: "[",
      keyOnly: true,
      run: () => {
        onAxis(props.axis && moved(axis, -STEP, whole));
      },
    },
    {
      label: "Move to later",
      key: "]",
      keyOnly: true,
      run: () => {
        onAxis(props.axis && moved(axis, STEP, whole));
      },
    },
    {
      label: "All of the time",
      key: "0",
      keyOnly: true,
      run: () => {
        onAxis(null);
      },
    },
  ]);

  function onKeyDown(event: KeyboardEvent, row: Row): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: rows.length - 1 }[event.key];
    const canOpen = row.kind === "fold" || row.hasChildren;
    if (to !== undefined) move(to);
    else if (event.key === "ArrowRight") {
      if (canOpen && !row.isOpen) props.onToggle(row);
      else if (canOpen) move(current + 1);
    } else if (event.key === "ArrowLeft") {
      if (canOpen && row.isOpen) props.onToggle(row);
      else move(rows.findLastIndex((each, index) => index < current && each.level < row.level));
    } else if (event.key === "Enter" && event.target instanceof HTMLElement && event.target.role === "row") {
      if (row.kind === "job") props.onOpen(row.row);
      else props.onToggle(row);
    } else return;
    event.preventDefault();
  }

  const items = virtualizer.getVirtualItems();
  const folded = useMemo(
    () => tree.size - rows.reduce((sum, row) => sum + (row.kind === "job" ? 1 : 0), 0),
    [tree, rows],
  );
  const [top, bottom] = [items[0]?.index ?? 0, (items.at(-1)?.index ?? -1) + 1];
  const marks = ticks(axis.from, axis.to, Math.max(1, Math.floor(width / TICK_PX)));
  return (
    <section className="panel" aria-label="Tree">
      <div className="tbl fit trees">
        <div role="treegrid" aria-label="The jobs of the tree" aria-rowcount={rows.length + 1}>
          <div role="rowgroup" className="tree-head">
            <div role="row" className="th" aria-rowindex={1}>
              <span role="columnheader" className="tree-head-name">
                <span>Job, what it waits for</span>
                <span className="ink-3">
                  {plural(rows.length, "row")}
                  {folded > 0 && `, ${count(folded)} ${folded === 1 ? "job" : "jobs"} folded`}
                </span>
              </span>
              <span role="columnheader" className="r">
                Ran
              </span>
              <span role="columnheader" className="wf" ref={plotHead}>
                <span className="sr">When</span>
                {width > 0 && (
                  <Overview
                    tree={tree}
                    whole={whole}
                    axis={props.axis}
                    width={width}
                    now={now}
                    onChange={onAxis}
                  />
                )}
                <span className="ticks" aria-hidden="true">
                  {marks.map(({ at, label }) => (
                    <span key={at} style={{ left: placeOf(plot, at) }}>
                      {label}
                    </span>
                  ))}
                </span>
              </span>
            </div>
          </div>
          <div ref={body} role="rowgroup" className="rows" style={{ height: rows.length * rowPx }}>
            {items.map((item) => {
              const row = rows[item.index];
              if (row === undefined) return null;
              const isCritical = row.kind === "job" && critical.has(row.row);
              return (
                <div
                  key={item.key}
                  data-index={item.index}
                  role="row"
                  aria-rowindex={item.index + 2}
                  aria-level={row.level + 1}
                  aria-expanded={row.kind === "fold" || row.hasChildren ? row.isOpen : undefined}
                  tabIndex={item.index === current ? 0 : -1}
                  className={`tr tree ${item.index === current ? "current" : ""}`}
                  style={{ height: rowPx, transform: `translateY(${item.index * rowPx}px)` }}
                  onFocus={() => {
                    setActive(item.index);
                    props.onActive(row.kind === "job" ? row.row : null);
                  }}
                  onKeyDown={(event) => {
                    onKeyDown(event, row);
                  }}
                >
                  <TreeRow
                    tree={tree}
                    row={row}
                    plot={plot}
                    isCritical={isCritical}
                    critical={row.kind === "job" ? (critical.get(row.row) ?? null) : null}
                    onToggle={props.onToggle}
                    onRetry={props.onRetry}
                  />
                </div>
              );
            })}
          </div>
        </div>
        {rowPx !== PHONE_ROW_PX && width > 0 && (
          <div
            className="over"
            style={{ width, height: (bottom - top) * rowPx, transform: `translateY(${top * rowPx}px)` }}
            aria-hidden="true"
          >
            {marks.map(({ at }) => (
              <i key={at} style={{ left: placeOf(plot, at) }} />
            ))}
            {props.isLive && now <= axis.to && <i className="now" style={{ left: placeOf(plot, now) }} />}
            {path && (
              <Connectors path={path} rows={rows} plot={plot} rowPx={rowPx} top={top} bottom={bottom} />
            )}
          </div>
        )}
      </div>
      {props.foot}
    </section>
  );
}

/** When the critical path goes through each of its rows; null: it only passes. */
function spansOf(path: CriticalPath | null): ReadonlyMap<number, Axis | null> {
  const spans = new Map<number, Axis | null>(path?.rows.map((row) => [row, null]));
  for (const { row, from, to } of path?.segments ?? []) {
    const known = spans.get(row);
    spans.set(row, known ? { from: Math.min(known.from, from), to: Math.max(known.to, to) } : { from, to });
  }
  return spans;
}
