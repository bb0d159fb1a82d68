import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactNode, useId, useState } from "react";
import { jobTypes } from "@/api/queries";
import { useAllCommands } from "@/commands/commands";
import { Dialog } from "@/components/Dialog";
import { Icon, type IconName } from "@/components/Icon";
import { jobsWith } from "@/filter/filter";
import { useSavedFilters } from "@/filter/saved";
import { Keys } from "./Keys";
import { Marked } from "@/components/Marked";

interface Item {
  readonly id: string;
  readonly group: "Do" | "Jobs" | "Go to";
  readonly icon: IconName;
  readonly label: string;
  readonly hint?: ReactNode;
  readonly run: () => void;
}

const MOST_OF_A_GROUP = 7;
const LOOKS_LIKE_AN_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-/i;

/** Find or do: what can be done here, jobs, and places, by a few letters. */
export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const listId = useId();
  const items = useItems(text.trim());
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
              <Icon name={item.icon} />
              <span className="cut">
                <Marked text={item.label} words={text} />
              </span>
              <span className="hint">{item.hint}</span>
            </div>
          </div>
        ))}
        {items.length === 0 && <p className="ink-3 pb">Nothing has these letters.</p>}
      </div>
      <div className="palette-foot">
        <span>
          <kbd>↑</kbd>
          <kbd>↓</kbd> choose
        </span>
        <span>
          <kbd>enter</kbd> open
        </span>
        <span className="push">a job’s ID goes straight there</span>
      </div>
    </Dialog>
  );
}

function useItems(text: string): readonly Item[] {
  const router = useRouter();
  const commands = useAllCommands();
  const types = useQuery(jobTypes).data ?? [];
  const saved = useSavedFilters();
  const fits = (label: string) =>
    text
      .toLowerCase()
      .split(/\s+/)
      .every((word) => label.toLowerCase().includes(word));

  const places = commands.filter((each) => each.key?.startsWith("g ") && !each.keyOnly);
  const actions = commands.filter((each) => !each.keyOnly && !places.includes(each));
  const item = (
    group: Item["group"],
    icon: IconName,
    label: string,
    run: () => void,
    hint?: ReactNode,
  ): Item => ({
    id: `${group} ${label}`,
    group,
    icon,
    label,
    run,
    hint,
  });

  const go = (label: string, icon: IconName, to: () => unknown, hint?: ReactNode) =>
    item("Go to", icon, label, () => void to(), hint);
  const asId = LOOKS_LIKE_AN_ID.test(text)
    ? [
        item(
          "Jobs",
          "list",
          `Job ${text}`,
          () => void router.navigate({ to: "/jobs/$jobId", params: { jobId: text } }),
        ),
      ]
    : [];
  const asName =
    text === "" || asId.length > 0
      ? []
      : [
          item("Jobs", "search", `All jobs whose name has “${text}”`, () => {
            void router.navigate({ to: "/jobs", search: jobsWith({ name: text }) });
          }),
        ];
  return [
    ...asId,
    ...actions
      .filter((each) => fits(each.label))
      .slice(0, MOST_OF_A_GROUP)
      .map((each) => item("Do", "activity", each.label, each.run, <Keys of={each.key} />)),
    ...places
      .filter((each) => fits(each.label))
      .map((each) => go(each.label.replace(/^Go to /, ""), "list", each.run, <Keys of={each.key} />)),
    ...saved
      .filter(({ name }) => fits(name))
      .slice(0, MOST_OF_A_GROUP)
      .map(({ name, search }) =>
        item("Jobs", "bookmark", name, () => void router.navigate({ to: "/jobs", search }), search.q),
      ),
    ...types
      .filter(({ name }) => text !== "" && fits(name))
      .slice(0, MOST_OF_A_GROUP)
      .map(({ name }) =>
        go(`Jobs of type ${name}`, "types", () =>
          router.navigate({ to: "/jobs", search: jobsWith({ type: name }) }),
        ),
      ),
    ...asName,
  ];
}
