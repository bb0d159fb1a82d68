import { type ReactNode, useEffect } from "react";
import { Icon } from "@/components/Icon";
import { ConnectionBanner, ConnectionState } from "./ConnectionState";
import { openOverlay } from "./overlays";

interface ViewProps {
  /** The heading, and the browser's title. */
  title: string;
  /** In place of the plain heading: it has an h1. */
  heading?: ReactNode;
  /** Beside the title: a figure of what is shown. */
  sub?: ReactNode;
  /** At the right end: the view's one primary button, switches of time. */
  actions?: ReactNode;
  children: ReactNode;
}

/** The frame of a view: the top bar with its title, how fresh it is, and its actions; then its content. */
export function View({ title, heading, sub, actions, children }: ViewProps) {
  useEffect(() => {
    document.title = `${title} · jobtracker`;
  }, [title]);
  return (
    <>
      <header className="topbar">
        {heading ?? <h1>{title}</h1>}
        <ConnectionState />
        {sub !== undefined && <span className="t-12 ink-2 hide-s cut">{sub}</span>}
        <span className="push" />
        <button
          type="button"
          className="btn ghost hide-s"
          onClick={() => {
            openOverlay("palette");
          }}
        >
          <Icon name="search" />
          Find or do <kbd>{/Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl"}</kbd>
          <kbd>K</kbd>
        </button>
        {actions}
      </header>
      <main className="page" id="content" tabIndex={-1}>
        <ConnectionBanner />
        {children}
      </main>
    </>
  );
}
