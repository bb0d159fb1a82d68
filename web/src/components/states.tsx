/** What stands in a panel that has nothing to show: it loads, is empty, or could not be fetched. */
import type { ReactNode } from "react";
import { useEffect, useState } from "react";
import { ApiError } from "@/api/client";
import { Icon } from "./Icon";

const PATIENCE_MS = 300;

/** Grey bars in the place of rows. Nothing for 300 ms: most answers are there by then. */
export function Loading({ rows = 6 }: { rows?: number }) {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => {
      setLate(true);
    }, PATIENCE_MS);
    return () => {
      window.clearTimeout(timer);
    };
  }, []);
  return (
    <div role="status" aria-label="Loading" className="loading">
      {isLate && Array.from({ length: rows }, (_, row) => <div className="sk" key={row} />)}
    </div>
  );
}

/** Nothing is there: what was looked for, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/**
 * An error in the panel that it concerns: what happened, why, what to do, and the id by which the log has it. That
 * somebody may not see or do something is no error: a line says it.
 */
export function ErrorNotice({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const known = error instanceof ApiError ? error : null;
  if (known?.status === 403) {
    return (
      <p className="pb row t-12 ink-2">
        <Icon name="info" size={12} /> <span>{known.message}</span>
      </p>
    );
  }
  return (
    <div className="notice bad" role="alert">
      <Icon name="alert" />
      <div>
        <b>{known?.title ?? "The page made a mistake"}</b>
        <p>{error.message}</p>
        {known?.requestId && (
          <p className="ink-2">
            Request <code>{known.requestId}</code>
          </p>
        )}
      </div>
      {onRetry && (
        <button type="button" className="btn small" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

interface Answer<T> {
  data: T | undefined;
  error: Error | null;
  refetch: () => unknown;
}

/**
 * The data of a query, or what stands in its place. Old values stay when a later answer fails: the error stands above
 * them.
 */
export function Answered<T>({
  query,
  rows,
  children,
}: {
  query: Answer<T>;
  rows?: number;
  children: (data: T) => ReactNode;
}) {
  return (
    <>
      {query.error && (
        <ErrorNotice
          error={query.error}
          onRetry={() => {
            query.refetch();
          }}
        />
      )}
      {query.data === undefined ? !query.error && <Loading rows={rows ?? 6} /> : children(query.data)}
    </>
  );
}
