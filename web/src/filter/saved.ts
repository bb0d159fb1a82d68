/** Filters that a viewer has given a name. They are kept in this browser; a colleague gets one as a link. */
import { useSyncExternalStore } from "react";
import type { Schemas } from "@/api/types";

export interface SavedFilter {
  readonly name: string;
  /** The search of the list, as the URL has it. */
  readonly search: { readonly q?: string; readonly sort?: Schemas["Sort"]; readonly columns?: string };
}

const KEY = "jobtracker.filters";
const MOST = 50;
const listeners = new Set<() => void>();
let saved: readonly SavedFilter[] = read();

/** What is stored; what is not a filter is left out. */
export function parseSaved(text: string | null): readonly SavedFilter[] {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found.flatMap(savedFilter).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

function savedFilter(value: unknown): SavedFilter[] {
  const { name, search } = (value ?? {}) as { name?: unknown; search?: unknown };
  if (typeof name !== "string" || name === "" || typeof search !== "object" || search === null) return [];
  const known = Object.entries(search).filter(
    ([key, each]) => ["q", "sort", "columns"].includes(key) && typeof each === "string",
  );
  return [{ name, search: Object.fromEntries(known) as SavedFilter["search"] }];
}

function read(): readonly SavedFilter[] {
  try {
    return parseSaved(localStorage.getItem(KEY));
  } catch {
    return []; // the browser keeps nothing
  }
}

function change(next: readonly SavedFilter[]): void {
  saved = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // It lasts until the page is left.
  }
  for (const listener of listeners) listener();
}

/** Save a filter; one of the same name is replaced. */
export function saveFilter(filter: SavedFilter): void {
  change([...saved.filter(({ name }) => name !== filter.name), filter].slice(-MOST));
}

export function removeFilter(name: string): void {
  change(saved.filter((each) => each.name !== name));
}

export function useSavedFilters(): readonly SavedFilter[] {
  return useSyncExternalStore(
    (listener) => {
      const onOther = (event: StorageEvent): void => {
        if (event.key !== KEY) return;
        saved = read(); // another tab has changed them
        listener();
      };
      listeners.add(listener);
      window.addEventListener("storage", onOther);
      return () => {
        listeners.delete(listener);
        window.removeEventListener("storage", onOther);
      };
    },
    () => saved,
  );
}
