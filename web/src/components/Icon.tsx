import type { Status } from "@/api/types";
import type { ReactNode } from "react";

/** Drawings of 14 by 14; `.i` gives them their line. */
const SHAPES = {
  activity: <path d="M2 8h3l2-5 2 9 2-6 1 2h2" />,
  alert: <path d="M7 1.8 12.7 12H1.3zM7 5.8v2.6M7 10.3v.1" />,
  bell: <path d="M3.5 10V6.2a3.5 3.5 0 0 1 7 0V10l1.2 1.2H2.3zM5.8 13h2.4" />,
  bookmark: <path d="M3.5 1.8h7v10.4L7 9.6l-3.5 2.6z" />,
  check: <path d="M2.5 7.5 5.5 10.5 11.5 4" />,
  chevron: <path d="m3 5 4 4 4-4" />,
  clock: (
    <>
      <circle cx="7" cy="7" r="5.2" />
      <path d="M7 4v3.2l2 1.3" />
    </>
  ),
  columns: <path d="M2 2.5h10v9H2zM5.3 2.5v9M8.7 2.5v9" />,
  compare: <path d="M2 2h4v10H2zM8 2h4v10H8z" />,
  copy: <path d="M4.5 4.5h7v7h-7zM2.5 9.5v-7h7" />,
  cross: <path d="m3.5 3.5 7 7m0-7-7 7" />,
  document: <path d="M3 1.5h8v11H3zM5 4.5h4M5 7h4M5 9.5h2" />,
  download: <path d="M7 2v7M4 6.5 7 9.5l3-3M2.5 12h9" />,
  external: <path d="M6 2.5H2.5v9h9V8M8.5 2.5h3v3M11.5 2.5 6.5 7.5" />,
  heart: <path d="M7 12S1.8 9 1.8 5.2A2.8 2.8 0 0 1 7 3.9a2.8 2.8 0 0 1 5.2 1.3C12.2 9 7 12 7 12z" />,
  info: (
    <>
      <circle cx="7" cy="7" r="5.5" />
      <path d="M7 6.3v3.4M7 4.2v.1" />
    </>
  ),
  key: (
    <>
      <circle cx="4.5" cy="9.5" r="2.6" />
      <path d="m6.4 7.6 5.6-5.6M9.5 4.5 11.5 6.5" />
    </>
  ),
  list: <path d="M2 3h10M2 7h10M2 11h6" />,
  lost: <path d="M2 2l10 10M4 3.2h8.5v4H8M1.5 5v7h8" />,
  more: <path d="M2.8 7h.1M7 7h.1M11.2 7h.1" />,
  pause: <path d="M4.5 3v8M9.5 3v8" />,
  path: <path d="M1.5 11.5h4v-4h3v-5h4" />,
  person: (
    <>
      <circle cx="7" cy="4.6" r="2.6" />
      <path d="M2 12.5c.5-3 2.5-4 5-4s4.5 1 5 4" />
    </>
  ),
  plus: <path d="M7 2.5v9M2.5 7h9" />,
  queue: <path d="M1.5 4h3v6h-3zM5.5 4h3v6h-3zM9.5 7h3" />,
  search: (
    <>
      <circle cx="6" cy="6" r="4" />
      <path d="m9.2 9.2 3 3" />
    </>
  ),
  server: <path d="M1.5 2.5h11v4h-11zM1.5 8.5h11v3.5h-11zM4 4.5h.1M4 10.3h.1" />,
  sun: (
    <>
      <circle cx="7" cy="7" r="2.6" />
      <path d="M7 1.2v1M7 11.8v1M1.2 7h1M11.8 7h1M2.9 2.9l.7.7M10.4 10.4l.7.7M11.1 2.9l-.7.7M3.6 10.4l-.7.7" />
    </>
  ),
  tree: <path d="M2.5 1.5v9.5h3M2.5 5.5h3M7 4h5v3H7zM7 9.5h5v3H7z" />,
  types: <path d="M2 2h4v4H2zM8 2h4v4H8zM2 8h4v4H2zM10 8v4M8 10h4" />,
} satisfies Record<string, ReactNode>;

export type IconName = keyof typeof SHAPES;

/** A drawing beside a word. It says nothing to screen readers: the word does. */
export function Icon({ name, size = 14 }: { name: IconName; size?: 12 | 14 | 16 | 18 }) {
  return (
    <svg className={size === 14 ? "i" : `i s${size}`} viewBox="0 0 14 14" aria-hidden="true">
      {SHAPES[name]}
    </svg>
  );
}

const RING = <circle cx="7" cy="7" r="5.1" fill="none" stroke="currentColor" strokeWidth="1.7" />;

/** Statuses differ by shape, so that colour is never all. */
const STATUS_SHAPES: Readonly<Record<Status, ReactNode>> = {
  pending: RING,
  running: (
    <path
      d="M3.6 2.3v9.4L11.6 7z"
      fill="currentColor"
      stroke="currentColor"
      strokeWidth="1.2"
      strokeLinejoin="round"
    />
  ),
  retrying: (
    <path
      d="M11.9 7.2A4.9 4.9 0 1 1 10 3.2M10.6.8v2.9H7.7"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.7"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  ),
  completed: (
    <>
      <circle cx="7" cy="7" r="6" fill="currentColor" />
      <path d="M4.2 7.2 6.2 9.1 9.9 5" className="cut-out" />
    </>
  ),
  failed: (
    <>
      <rect x="1" y="1" width="12" height="12" rx="2.5" fill="currentColor" />
      <path d="m4.6 4.6 4.8 4.8m0-4.8L4.6 9.4" className="cut-out" />
    </>
  ),
  cancelled: (
    <>
      {RING}
      <path d="M3.5 10.5 10.5 3.5" stroke="currentColor" strokeWidth="1.7" />
    </>
  ),
};

/** The mark of a status, in its colour. */
export function StatusIcon({ status }: { status: Status }) {
  return (
    <svg className={`si ${status}`} viewBox="0 0 14 14" aria-hidden="true">
      {STATUS_SHAPES[status]}
    </svg>
  );
}

/** A status: its mark and its word; `chip` on a coloured ground, for the one that a page is about. */
export function StatusLabel({ status, chip = false }: { status: Status; chip?: boolean }) {
  return (
    <span className={`st ${status}${chip ? " chip" : ""}`}>
      <StatusIcon status={status} />
      <span className="st-word">{status}</span>
    </span>
  );
}

/** The mark of the product. */
export function Brand({ size = 18 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 18 18" aria-hidden="true">
      <path d="M4 3v9.5a2 2 0 0 0 2 2h3M4 8.5h5" fill="none" stroke="currentColor" strokeWidth="1.8" />
      <circle cx="4" cy="3.2" r="2.4" fill="currentColor" />
      <circle cx="12" cy="8.5" r="2.4" fill="currentColor" />
      <rect x="9.6" y="12.1" width="4.8" height="4.8" rx="1.2" fill="currentColor" />
    </svg>
  );
}
