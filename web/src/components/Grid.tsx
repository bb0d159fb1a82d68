import { useWindowVirtualizer } from "@tanstack/react-virtual";
import {
  type CSSProperties,
  type FocusEvent,
  type KeyboardEvent,
  memo,
  type MouseEvent,
  type ReactNode,
  useEffect,
  useRef,
  useState,
} from "react";
import { useCommands } from "@/commands/commands";
import { allOrNone, extended, type Selection, toggled } from "./selection";
import "./grid.css";

export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  /** A track of a CSS grid: `96px`, `minmax(200px, 1fr)`. */
  readonly width: string;
  readonly align?: "right";
  /** Left out where the page is narrow. */
  readonly wide?: boolean;
  /** The order of the API by which its head sorts, and whether a second click turns it round. */
  readonly sort?: string;
  readonly cell: (row: Row) => ReactNode;
}

interface GridProps<Row> {
  /** What the rows are, for screen readers. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** A class of a row, for example `gone`. */
  rowClass?: (row: Row) => string;
  /** What Enter and a click do; the row also has to have a link, for those who want it in a new tab. */
  onOpen?: (row: Row) => void;
  /** Told the row that `j`, `k` or a click has moved to: what stands beside the list follows. */
  onActive?: (row: Row) => void;
  selection?: Selection;
  onSelect?: (selection: Selection) => void;
  sort?: string;
  onSort?: (sort: string) => void;
  /** Called when the last rows come into sight. */
  onEnd?: () => void;
  /** Told the first row in sight. */
  onSight?: (row: number) => void;
  /** A line above the rows, which moves none of them: what is newer. */
  lead?: ReactNode;
  /** Of all rows, if there are more than are loaded; -1: unknown. */
  total?: number;
  /** For its columns and its form on phones. */
  className?: string;
}

const OVERSCAN = 12;
const ROW_PX = 32;

/**
 * Rows of a table of any length: only those in sight are in the document. The rows are one stop of the tab key; `j` and
 * `k` move inside, `x` selects, shift-`x` selects up to here, Enter opens.
 */
export function Grid<Row>(props: GridProps<Row>) {
  const { columns, rows, rowKey, selection, onSelect, onOpen, onEnd, onSight } = props;
  const body = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const [offset, setOffset] = useState(0);
  const keys = rows.map(rowKey);
  const current = Math.min(active, rows.length - 1);

  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => keys[index] ?? index,
    overscan: OVERSCAN,
    scrollMargin: offset,
    scrollPaddingStart: 60,
    scrollPaddingEnd: 90,
  });
  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;

  useEffect(() => {
    const element = body.current;
    if (!element) return;
    const measure = () => {
      setOffset(element.getBoundingClientRect().top + window.scrollY);
    };
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    measure();
    return () => {
      observer.disconnect();
    };
  }, []);

  const first = virtualizer.range?.startIndex ?? 0;
  useEffect(() => {
    onSight?.(first);
  }, [first, onSight]);

  useEffect(() => {
    if (last >= rows.length - OVERSCAN) onEnd?.();
  }, [last, rows.length, onEnd]);

  function move(to: number): void {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    setActive(index);
    virtualizer.scrollToIndex(index, { align: "auto" });
    const focus = () => {
      const row = body.current?.querySelector<HTMLElement>(`[data-index="${index}"]`);
      row?.focus();
      return row !== null && row !== undefined;
    };
    // At once, so that the next key finds it there; a row out of sight is drawn first.
    if (!focus()) requestAnimationFrame(focus);
  }

  function select(index: number, toHere: boolean): void {
    const key = keys[index];
    if (key === undefined || !selection || !onSelect) return;
    setActive(index);
    onSelect(toHere ? extended(selection, key, keys) : toggled(selection, key));
  }

  function open(): void {
    const row = rows[current];
    if (row !== undefined) onOpen?.(row);
  }

  const isFocused = () => body.current?.contains(document.activeElement) ?? false;
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
    ...(onSelect
      ? [
          {
            label: "Select the row",
            key: "x",
            keyOnly: true,
            run: () => {
              select(current, false);
            },
          },
          {
            label: "Select up to this row",
            key: "shift+x",
            keyOnly: true,
            run: () => {
              select(current, true);
            },
          },
        ]
      : []),
  ]);

  function onKeyDown(event: KeyboardEvent): void {
    const to = { ArrowDown: current + 1, ArrowUp: current - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) move(to);
    else if (event.key === "Enter" && event.target instanceof HTMLElement && event.target.role === "row")
      open();
    else return;
    event.preventDefault();
  }

  function onFocus(event: FocusEvent): void {
    const { element, index, row } = rowOf(event);
    if (row === undefined) return;
    setActive(index);
    if (event.target === element) props.onActive?.(row);
  }

  function onClick(event: MouseEvent): void {
    const { index, row } = rowOf(event);
    const target = event.target as HTMLElement;
    if (row === undefined) return;
    if (target.matches(".c-check > input")) {
      select(index, event.shiftKey);
      return;
    }
    if (target.closest("a, button, input, label")) return;
    if (event.shiftKey) {
      select(index, true);
      return;
    }
    setActive(index);
    if (window.getSelection()?.isCollapsed !== false) onOpen?.(row);
  }

  function rowOf(event: { target: EventTarget }) {
    const element = (event.target as HTMLElement).closest<HTMLElement>("[data-index]");
    const index = Number(element?.dataset.index ?? -1);
    return { element, index, row: rows[index] };
  }

  return (
    <div
      className={`tbl grid-rows ${props.className ?? ""}`}
      style={tracksOf(columns, onSelect !== undefined)}
    >
      <div
        role="grid"
        aria-label={props.label}
        aria-rowcount={props.total ?? rows.length}
        aria-multiselectable={onSelect ? true : undefined}
      >
        <GridHead {...props} keys={keys} />
        {props.lead && (
          <div role="row">
            <div role="rowheader">{props.lead}</div>
          </div>
        )}
        <div
          ref={body}
          role="rowgroup"
          className="rows"
          style={{ height: virtualizer.getTotalSize() }}
          onFocus={onFocus}
          onKeyDown={onKeyDown}
          onClick={onClick}
        >
          {items.map((item) => {
            const row = rows[item.index];
            const key = keys[item.index];
            if (row === undefined || key === undefined) return null;
            return (
              <GridRow
                key={item.key}
                measure={virtualizer.measureElement}
                row={row}
                columns={columns}
                index={item.index}
                top={item.start - offset}
                isCurrent={item.index === current}
                isSelected={onSelect ? (selection?.keys.has(key) ?? false) : null}
                className={props.rowClass?.(row) ?? ""}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface GridRowProps<Row> {
  measure: (element: HTMLElement | null) => void;
  row: Row;
  columns: readonly Column<Row>[];
  index: number;
  /** Where it stands below the head, in pixels. */
  top: number;
  isCurrent: boolean;
  /** Null where rows can't be selected. */
  isSelected: boolean | null;
  className: string;
}

/** A row. It is drawn again only if it has changed: what it can do is heard by the element around it. */
const GridRow = memo(function GridRow<Row>({
  measure,
  row,
  columns,
  index,
  top,
  isCurrent,
  isSelected,
  className,
}: GridRowProps<Row>) {
  return (
    <div
      ref={measure}
      data-index={index}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isSelected ?? undefined}
      tabIndex={isCurrent ? 0 : -1}
      className={`tr ${isSelected === true ? "sel" : ""} ${className}`}
      style={{ transform: `translateY(${top}px)` }}
    >
      {isSelected !== null && (
        <span role="gridcell" className="c-check">
          <input
            type="checkbox"
            className="check"
            tabIndex={-1}
            aria-label="Select"
            checked={isSelected}
            onChange={() => undefined}
          />
        </span>
      )}
      {columns.map((column) => (
        <span key={column.id} role="gridcell" data-label={column.title} className={classOf(column)}>
          {column.cell(row)}
        </span>
      ))}
    </div>
  );
}) as <Row>(props: GridRowProps<Row>) => ReactNode;

function GridHead<Row>({
  columns,
  keys,
  selection,
  onSelect,
  sort,
  onSort,
}: GridProps<Row> & { keys: readonly string[] }) {
  const areAll = selection !== undefined && keys.length > 0 && keys.every((key) => selection.keys.has(key));
  const isSome = !areAll && (selection?.keys.size ?? 0) > 0;
  return (
    <div role="rowgroup">
      <div role="row" className="th" aria-rowindex={1}>
        {onSelect && selection && (
          <span role="columnheader" className="c-check">
            <input
              type="checkbox"
              className="check"
              aria-label="Select all rows that are loaded"
              checked={areAll}
              ref={(input) => {
                if (input) input.indeterminate = isSome;
              }}
              onChange={() => {
                onSelect(allOrNone(selection, keys));
              }}
            />
          </span>
        )}
        {columns.map((column) => (
          <span
            key={column.id}
            role="columnheader"
            className={classOf(column)}
            aria-sort={sortOf(column, sort)}
          >
            {column.sort !== undefined && onSort ? (
              <SortButton title={column.title} by={column.sort} sort={sort} onSort={onSort} />
            ) : (
              column.title
            )}
          </span>
        ))}
      </div>
    </div>
  );
}

interface SortButtonProps {
  title: string;
  by: string;
  sort: string | undefined;
  onSort: (sort: string) => void;
}

function SortButton({ title, by, sort, onSort }: SortButtonProps) {
  const down = sort === `-${by}`;
  const isOn = down || sort === by;
  return (
    <button
      type="button"
      className={`head ${isOn ? "sort" : ""}`}
      onClick={() => {
        onSort(down ? by : `-${by}`);
      }}
    >
      {title}
      {isOn && <span aria-hidden="true">{down ? " ↓" : " ↑"}</span>}
    </button>
  );
}

function sortOf<Row>(column: Column<Row>, sort: string | undefined): "ascending" | "descending" | undefined {
  if (column.sort === undefined) return undefined;
  if (sort === column.sort) return "ascending";
  return sort === `-${column.sort}` ? "descending" : undefined;
}

function classOf<Row>({ id, align, wide }: Column<Row>): string {
  return `c-${id}${align ? " r" : ""}${wide ? " wide" : ""}`;
}

/**
 * The tracks as custom properties, so that a style sheet can have others for narrow pages. They are there before a row is
 * measured: set later, they would have the whole page laid out twice.
 */
function tracksOf<Row>(columns: readonly Column<Row>[], hasChecks: boolean): CSSProperties {
  const tracks = (shown: readonly Column<Row>[]) =>
    [...(hasChecks ? ["14px"] : []), ...shown.map((column) => column.width)].join(" ");
  const narrow = columns.filter((column) => !column.wide);
  return { "--cols-wide": tracks(columns), "--cols-narrow": tracks(narrow) } as CSSProperties;
}
