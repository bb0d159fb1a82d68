import { useRouter } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactNode, useId, useState } from "react";
import { type Status, STATUSES } from "@/api/types";
import { useAllCommands } from "@/commands/commands";
import { Dialog } from "@/components/Dialog";
import { Icon, type IconName, StatusIcon } from "@/components/Icon";
import { jobsWith } from "@/filter/filter";
import { useSavedFilters } from "@/filter/saved";
import { shortId } from "@/format/format";
import { fits, idIn, isPartOfId, typesWith } from "./find";
import { Keys } from "./Keys";
import { useFoundJobs, useTypeNames } from "./useFound";
import { Marked } from "@/components/Marked";

interface Item {
  readonly id: string;
  readonly group: "Do" | "Jobs" | "Types" | "Go to";
  readonly icon: IconName | Status;
  readonly label: string;
  readonly hint?: ReactNode;
  readonly run: () => void;
}

const MOST_OF_A_GROUP = 7;
const MOST_TYPES = 4;

const isStatus = (icon: Item["icon"]): icon is Status => (STATUSES as readonly string[]).includes(icon);

/** Find or do: what can be done here, jobs, and places, by a few letters. */
export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const listId = useId();
  const { items, isLooking } = useItems(text.trim());
  const index = Math.min(chosen, items.length - 1);

  function run(item: Item | undefined): void {
    if (!item) return;
    onClose();
    item.run();
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Enter") run(items[index]);
    else if (event.key === "ArrowDown") setChosen((index + 1) % items.length);
    else if (event.key === "ArrowUp") setChosen((index - 1 + items.length) % items.length);
    else return;
    event.preventDefault();
  }

  return (
    <Dialog title="Find or do" hideTitle className="palette" onClose={onClose}>
      <div className="palette-input row">
        <Icon name="search" size={16} />
        <input
          role="combobox"
          aria-expanded="true"
          aria-controls={listId}
          aria-activedescendant={items[index] ? `${listId}-${index}` : undefined}
          aria-label="Find or do"
          placeholder="An action, a job’s name or ID, a type, a view"
          autoComplete="off"
          spellCheck={false}
          value={text}
          onKeyDown={onKeyDown}
          onChange={(event) => {
            setText(event.target.value);
            setChosen(0);
          }}
        />
        <kbd>esc</kbd>
      </div>
      <div role="listbox" id={listId} aria-label="What fits" className="palette-list">
        {items.map((item, at) => (
          <div key={item.id} role="presentation">
            {item.group !== items[at - 1]?.group && <h3 role="presentation">{item.group}</h3>}
            <div
              id={`${listId}-${at}`}
              role="option"
              aria-selected={at === index}
              className={`opt ${at === index ? "is-focus" : ""}`}
              onMouseMove={() => {
                setChosen(at);
              }}
              onClick={() => {
                run(item);
              }}
            >
              {isStatus(item.icon) ? <StatusIcon status={item.icon} /> : <Icon name={item.icon} />}
              <span className="cut">
                <Marked text={item.label} words={text} />
              </span>
              <span className="hint">{item.hint}</span>
            </div>
          </div>
        ))}
        {isPartOfId(text.trim()) && !isLooking && (
          <p className="ink-3 pb" role="status">
            A part of an ID finds no job: paste the whole ID.
          </p>
        )}
        {items.length === 0 && (
          <p className="ink-3 pb" role="status">
            {isLooking
              ? "Looking…"
              : idIn(text.trim()) === null
                ? "Nothing has these letters."
                : "No job has this ID. Its record may have been deleted, or it is of another store."}
          </p>
        )}
      </div>
      <div className="palette-foot">
        <span>
          <kbd>↑</kbd>
          <kbd>↓</kbd> choose
        </span>
        <span>
          <kbd>enter</kbd> open
        </span>
        <span className="push">jobs by their whole ID or a part of their name</span>
      </div>
    </Dialog>
  );
}

function useItems(text: string): { items: readonly Item[]; isLooking: boolean } {
  const router = useRouter();
  const commands = useAllCommands();
  const typeNames = useTypeNames();
  const saved = useSavedFilters();
  const found = useFoundJobs(text);
  const id = idIn(text);

  const places = commands.filter((each) => each.key?.startsWith("g ") && !each.keyOnly);
  const actions = commands.filter((each) => !each.keyOnly && !places.includes(each));
  const item = (
    group: Item["group"],
    icon: Item["icon"],
    label: string,
    run: () => unknown,
    hint?: ReactNode,
  ): Item => ({
    id: `${group} ${label}`,
    group,
    icon,
    label,
    run: () => void run(),
    hint,
  });
  const toJob = (jobId: string) => () => router.navigate({ to: "/jobs/$jobId", params: { jobId } });
  const toJobs = (search: { q: string }) => () => router.navigate({ to: "/jobs", search });

  const jobs = found.jobs.map((job) => ({
    ...item(
      "Jobs",
      job.status,
      job.name,
      toJob(job.id),
      `${job.status} · ${job.job_type} · ${shortId(job.id)}`,
    ),
    id: job.id,
  }));
  const types = typesWith(typeNames, text)
    .slice(0, MOST_TYPES)
    .flatMap((name) => [
      item(
        "Types",
        "types",
        name,
        () => router.navigate({ to: "/types/$name", params: { name } }),
        "its figures",
      ),
      item("Types", "list", `Jobs of type ${name}`, toJobs(jobsWith({ type: name }))),
    ]);
  const items = [
    ...(id === null ? [] : jobs),
    ...actions
      .filter((each) => fits(each.label, text))
      .slice(0, MOST_OF_A_GROUP)
      .map((each) => item("Do", "activity", each.label, each.run, <Keys of={each.key} />)),
    ...places
      .filter((each) => fits(each.label, text))
      .map((each) =>
        item("Go to", "list", each.label.replace(/^Go to /, ""), each.run, <Keys of={each.key} />),
      ),
    ...types,
    ...(id === null ? jobs : []),
    ...saved
      .filter(({ name }) => fits(name, text))
      .slice(0, MOST_OF_A_GROUP)
      .map(({ name, search }) =>
        item("Jobs", "bookmark", name, () => router.navigate({ to: "/jobs", search }), search.q),
      ),
    ...(text === "" || id !== null
      ? []
      : [item("Jobs", "search", `All jobs whose name has “${text}”`, toJobs(jobsWith({ name: text })))]),
  ];
  return { items, isLooking: found.isLooking };
}
