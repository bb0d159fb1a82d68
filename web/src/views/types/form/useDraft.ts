import { useId, useState } from "react";
import { problemsOf, type Problem } from "./check";
import type { FormState } from "./context";
import { type Draft, isObject, NOTHING_YET, type Path, pathText, setAt, Unreadable } from "./draft";
import { blank } from "./schema";

/** What stands for a masked value: the API never has the value itself. */
const MASK = "***";

/** A draft that begins like a payload. What is masked in it has to be typed anew. */
export function draftLike(value: unknown): Draft {
  if (value === MASK) return new Unreadable("", "It is masked in the other job: type it anew.");
  if (Array.isArray(value)) return value.map(draftLike);
  if (isObject(value))
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, draftLike(each)]));
  return value as Draft;
}

export interface DraftForm extends FormState {
  readonly draft: Draft;
  readonly setDraft: (draft: Draft) => void;
  /** What is wrong now, by this page's own look. */
  readonly problems: readonly Problem[];
  /** From now on each problem is told where it is. */
  readonly tellAll: () => void;
  /** What the API refused, by path. */
  readonly refuse: (refused: ReadonlyMap<string, string>) => void;
}

/** The state of a form for a schema. */
export function useDraft(schema: unknown, like: unknown): DraftForm {
  const id = useId();
  const [draft, setDraft] = useState<Draft>(() =>
    like === undefined ? (blank(schema, schema) ?? {}) : draftLike(like),
  );
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [areAllTold, setAllTold] = useState(false);
  const [refused, setRefused] = useState<ReadonlyMap<string, string>>(new Map());
  const problems = problemsOf(draft, schema);
  const byPath = new Map(problems.map(({ path, message }) => [pathText(path), message]));

  function set(path: Path, value: Draft | undefined): void {
    setDraft((old) => setAt(old, path, value) ?? {});
    // What was refused there may be right now; the next request tells.
    const changed = pathText(path);
    setRefused(
      (old) =>
        new Map([...old].filter(([at]) => at !== changed && !at.startsWith(`${changed}.`) && at !== "")),
    );
  }

  return {
    root: schema,
    draft,
    setDraft: (next) => {
      setDraft(next);
      setRefused(new Map());
    },
    problems,
    change: (path, value) => {
      set(path, value ?? (typeof path.at(-1) === "number" ? NOTHING_YET : undefined));
    },
    remove: (path) => {
      set(path, undefined);
    },
    leave: (path) => {
      setLeft((old) => new Set(old).add(pathText(path)));
    },
    problemAt: (path) => {
      const at = pathText(path);
      return refused.get(at) ?? (areAllTold || left.has(at) ? byPath.get(at) : undefined);
    },
    idOf: (path) => `${id}${pathText(path)}`,
    tellAll: () => {
      setAllTold(true);
    },
    refuse: setRefused,
  };
}
