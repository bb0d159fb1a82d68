import { type JobSummary, PRIORITIES, STATUSES } from "@/api/types";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type KeyboardEvent, useId, useRef, useState } from "react";
import type { ApiError } from "@/api/client";
import { jobTypes, stats, suggested } from "@/api/queries";
import { useCommands } from "@/commands/commands";
import { Icon } from "@/components/Icon";
import { Marked } from "@/components/Marked";
import { around, parse, print, type Term } from "@/filter/filter";
import { useSavedFilters } from "@/filter/saved";
import { count, plural } from "@/format/format";
import { SearchHelp } from "./SearchHelp";
import { type Known, lastWord, type Suggestion, suggestionsFor } from "./suggestions";

interface SearchBoxProps {
  /** The filter. */
  value: string;
  /** How many match, as text. */
  found: string;
  /** Why the API can't read the filter; null if it can. */
  problem: ApiError | null;
  onChange: (filter: string) => void;
}

/** The filter of the list: qualifiers become tokens, the rest is text that is looked for. */
export function SearchBox({ value, found, problem, onChange }: SearchBoxProps) {
  const input = useRef<HTMLInputElement>(null);
  const listId = useId();
  const terms = parse(value);
  const tokens = terms.filter((term) => term.key !== null);
  const words = print(terms.filter((term) => !tokens.includes(term)));
  const [text, setText] = useState(words);
  const [shown, setShown] = useState(value);
  /** A space ended the last term: more is being typed behind the words that stay. */
  const [goesOn, setGoesOn] = useState(false);
  if (shown !== value) {
    // The URL has changed, by this box or by a link.
    setShown(value);
    setText(goesOn && words !== "" ? `${words} ` : words);
    setGoesOn(false);
  }
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const [isHelp, setHelp] = useState(false);

  const word = lastWord(text);
  const suggestions = suggestionsFor(word, useKnown(tokens, word));
  const isShown = isOpen && suggestions.length > 0;
  const index = Math.min(chosen, suggestions.length - 1);

  useCommands([{ label: "Search jobs", key: "/", run: () => input.current?.focus() }]);

  function commit(next: string): void {
    setOpen(false);
    const filter = print([...tokens, ...parse(next)]);
    if (filter === value) setText(words);
    else onChange(filter);
  }

  function take({ text: taken, filter }: Suggestion): void {
    if (filter !== undefined) {
      setOpen(false);
      onChange(filter);
      return;
    }
    const before = text.slice(0, text.length - word.length);
    setChosen(-1);
    if (taken.endsWith(":")) setText(before + taken);
    else commit(before + taken);
    input.current?.focus();
  }

  function onKeyDown(event: KeyboardEvent): void {
    const suggestion = suggestions[index];
    const last = tokens.at(-1);
    if (event.key === "ArrowDown") {
      setOpen(true);
      setChosen(Math.min(index + 1, suggestions.length - 1));
    } else if (event.key === "ArrowUp") setChosen(Math.max(index - 1, -1));
    else if ((event.key === "Tab" || event.key === "Enter") && isShown && suggestion) take(suggestion);
    else if (event.key === "Enter") commit(text);
    else if (event.key === " " && isTerm(word)) {
      setGoesOn(true);
      commit(text);
    } else if (event.key === "Backspace" && text === "" && last) {
      onChange(print(tokens.slice(0, -1)));
    } else if (event.key === "F1") {
      setHelp(true);
    } else if (event.key === "Escape") {
      if (isShown) setOpen(false);
      else input.current?.blur();
    } else return;
    event.preventDefault();
  }

  return (
    <div className="search-box">
      <div className="search" onClick={() => input.current?.focus()}>
        <Icon name="search" />
        {tokens.map((term) => (
          <Token
            key={`${term.start} ${term.text}`}
            term={term}
            isBad={isWithin(problem, term)}
            onRemove={() => {
              onChange(print(terms.filter((each) => each !== term)));
            }}
          />
        ))}
        <input
          ref={input}
          role="combobox"
          aria-label="Filter jobs"
          aria-expanded={isShown}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={isShown && index >= 0 ? `${listId}-${index}` : undefined}
          placeholder={tokens.length === 0 ? "Some text, or status:failed type:… since:2h" : ""}
          autoComplete="off"
          spellCheck={false}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setChosen(-1);
            setOpen(true);
          }}
          onFocus={() => {
            setOpen(true);
          }}
          onBlur={() => {
            setOpen(false);
            if (text !== words) commit(text);
          }}
          onKeyDown={onKeyDown}
        />
        <span className="found t-12 ink-3" aria-live="polite">
          {found}
        </span>
        <button
          type="button"
          className="btn ghost small search-help"
          aria-label="How to search"
          title="How to search (F1)"
          onClick={() => {
            setHelp(true);
          }}
        >
          ?
        </button>
        <kbd>/</kbd>
      </div>
      <div className={`menu suggestions ${isShown ? "" : "sr"}`} hidden={!isShown}>
        <div role="listbox" id={listId} aria-label="Suggestions">
          {suggestions.map((suggestion, at) => (
            <div key={suggestion.text} role="presentation">
              {suggestion.group !== suggestions[at - 1]?.group && (
                <h3 role="presentation">{suggestion.group}</h3>
              )}
              <div
                id={`${listId}-${at}`}
                role="option"
                aria-selected={at === index}
                className={`opt ${at === index ? "is-focus" : ""}`}
                onMouseDown={(event) => {
                  event.preventDefault(); // the input keeps the focus
                  take(suggestion);
                }}
              >
                <span className="mono t-12 cut">
                  <Marked text={suggestion.text} words={word.split(/[:,]/).at(-1) ?? ""} />
                </span>
                <span className="hint cut">{suggestion.hint}</span>
              </div>
            </div>
          ))}
        </div>
        <div className="foot">
          <span>
            <kbd>↑</kbd>
            <kbd>↓</kbd> choose
          </span>
          <span>
            <kbd>tab</kbd> take
          </span>
          <span>
            <kbd>enter</kbd> search
          </span>
          <span>
            <kbd>esc</kbd> close
          </span>
          <span>
            <kbd>F1</kbd> help
          </span>
        </div>
      </div>
      {problem && (
        <p className="search-problem t-12" role="alert">
          <Icon name="alert" size={12} />
          <span>
            <Place filter={value} place={problem.place ?? 0} />
            {problem.message}
          </span>
        </p>
      )}
      {isHelp && (
        <SearchHelp
          onClose={() => {
            setHelp(false);
            requestAnimationFrame(() => input.current?.focus()); // while the dialog is open nothing else takes it
          }}
        />
      )}
    </div>
  );
}

/** The filter as the API got it, with the part marked that it can't read. */
function Place({ filter, place }: { filter: string; place: number }) {
  const { before, wrong, after } = around(filter, place);
  return (
    <code className="search-place">
      {before}
      <mark>{wrong === "" ? "␣" : wrong}</mark>
      {after}
    </code>
  );
}

function Token({ term, isBad, onRemove }: { term: Term; isBad: boolean; onRemove: () => void }) {
  const { key, value, text } = term;
  return (
    <span className={`q ${isBad ? "bad" : ""}`}>
      <b>{`${text.startsWith("-") ? "-" : ""}${key ?? ""}:`}</b>
      <span>{value}</span>
      <button type="button" className="x" aria-label={`Remove ${key ?? value}`} onClick={onRemove}>
        <Icon name="cross" size={12} />
      </button>
    </span>
  );
}

/** Whether what the API can't read is in a term. */
function isWithin(problem: ApiError | null, { start, text }: Term): boolean {
  const place = problem?.place ?? -1;
  return start <= place && place < start + Array.from(text).length;
}

/** Whether a word is a whole qualifier, so that a space ends it. */
function isTerm(word: string): boolean {
  const [term] = parse(word);
  return term?.key != null && !/[:,]$/.test(word) && lastWord(`${word} `) === "";
}

/** What can be suggested: what there is, and how much of it. */
function useKnown(tokens: readonly Term[], word: string): Known {
  const client = useQueryClient();
  const figures = useQuery(stats).data;
  const types = useQuery(jobTypes).data ?? [];
  const qualifiers = useQuery(suggested("")).data?.suggestions ?? [];
  const values = useQuery({ ...suggested(word), enabled: word.includes(":") }).data?.suggestions ?? [];
  const jobs = (number: number | undefined) => (number === undefined ? "" : plural(number, "job"));
  const names = new Set([...types.map(({ name }) => name), ...Object.keys(figures?.by_type ?? {})]);
  return {
    qualifiers: qualifiers.map(({ text, hint }) => [text.replace(/:$/, ""), hint] as const),
    suggested: values.map(({ text, hint }) => [text, hint] as const),
    used: new Set(tokens.flatMap(({ key }) => key ?? [])),
    saved: useSavedFilters().map(({ name, search }) => [name, search.q ?? ""] as const),
    values: {
      status: STATUSES.map((status) => [status, jobs(figures?.by_status[status])] as const),
      type: [...names]
        .sort((a, b) => (figures?.by_type[b] ?? 0) - (figures?.by_type[a] ?? 0) || a.localeCompare(b))
        .map((name) => [name, figures ? jobs(figures.by_type[name] ?? 0) : ""] as const),
      priority: PRIORITIES.map((priority) => [priority, count(figures?.by_priority[priority])] as const),
      tag: tagsOf(client.getQueriesData<Listed>({ queryKey: ["jobs", "head"] }).map(([, page]) => page)),
    },
  };
}

interface Listed {
  readonly jobs: readonly Pick<JobSummary, "id" | "tags">[];
}

/** The tags of the jobs that were listed, for a word without a qualifier. The most frequent first. */
function tagsOf(pages: readonly (Listed | undefined)[]): readonly (readonly [string, string])[] {
  const jobs = new Map(pages.flatMap((page) => page?.jobs ?? []).map((job) => [job.id, job.tags]));
  const counts = new Map<string, number>();
  for (const tag of [...jobs.values()].flat()) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([tag, number]) => [tag, `${count(number)} of ${plural(jobs.size, "job")} seen`] as const);
}
