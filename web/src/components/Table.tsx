import type { ReactNode } from "react";
import type { Column } from "./Grid";

interface TableProps<Row> {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  className?: string;
  empty?: ReactNode;
}

/**
 * A short table, all of whose rows are in the document: for tens of rows. A long list is a `Grid`. With the class
 * `fold` it has, on phones, each value below the title of its column.
 */
export function Table<Row>({ label, columns, rows, rowKey, className = "", empty }: TableProps<Row>) {
  if (rows.length === 0) return empty;
  const tracks = columns.map((column) => column.width).join(" ");
  return (
    <div
      className={`tbl ${className}`}
      role="table"
      aria-label={label}
      ref={(element) => {
        element?.style.setProperty("--cols", tracks);
      }}
    >
      <div role="row" className="th">
        {columns.map((column) => (
          <span key={column.id} role="columnheader" className={`c-${column.id}${column.align ? " r" : ""}`}>
            {column.title}
          </span>
        ))}
      </div>
      {rows.map((row) => (
        <div key={rowKey(row)} role="row" className="tr">
          {columns.map((column) => (
            <span
              key={column.id}
              role="cell"
              data-label={column.title}
              className={`cut c-${column.id}${column.align ? " r" : ""}`}
            >
              {column.cell(row)}
            </span>
          ))}
        </div>
      ))}
    </div>
  );
}
