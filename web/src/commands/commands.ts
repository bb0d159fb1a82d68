/**
 * What can be done now: each command has a name for the palette and the help, and perhaps a key. The component that
 * shows what a command works on registers it, by `useCommands`. It goes with the component.
 */
import { useEffect, useEffectEvent, useSyncExternalStore } from "react";

export interface Command {
  /** As the palette and the help name it: a verb, its object, and … if it asks first. */
  readonly label: string;
  /** A key by `KeyboardEvent.key`, `shift+x`, `mod+k` (Ctrl or ⌘), or a sequence such as `g j`. */
  readonly key?: string;
  /** Not in the palette: it moves or selects. */
  readonly keyOnly?: boolean;
  readonly run: () => void;
}

let commands: readonly Command[] = [];
const listeners = new Set<() => void>();

function setCommands(next: readonly Command[]): void {
  commands = next;
  for (const listener of listeners) listener();
}

/** Register commands while a component is shown. Of two with one key, the one registered last has it. */
export function useCommands(given: readonly Command[]): void {
  const shape = given
    .map(({ label, key, keyOnly }) => `${label}\n${key ?? ""}\n${String(keyOnly)}`)
    .join("\n\n");
  const run = useEffectEvent((index: number) => given[index]?.run());
  const describe = useEffectEvent(() =>
    given.map((each, index) => ({
      ...each,
      run: () => {
        run(index);
      },
    })),
  );
  useEffect(() => {
    const own = describe();
    setCommands([...commands, ...own]);
    return () => {
      setCommands(commands.filter((each) => !own.includes(each)));
    };
  }, [shape]);
}

/** All commands that can be run now. */
export function useAllCommands(): readonly Command[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => commands,
  );
}

const SEQUENCE_MS = 1200;

/** Run commands by their keys, but not while somebody types or a dialog is open. Returns how to stop. */
export function startKeys(): () => void {
  let first = "";
  let timer: number | undefined;

  function onKey(event: KeyboardEvent): void {
    const key = keyOf(event);
    if (event.defaultPrevented || event.isComposing || key === null) return;
    if (!key.startsWith("mod+") && (isTyping(event.target) || document.querySelector("dialog[open]"))) return;
    const sequence = first === "" ? key : `${first} ${key}`;
    first = "";
    window.clearTimeout(timer);
    const command = commands.findLast((each) => each.key === sequence);
    if (command) {
      event.preventDefault();
      command.run();
    } else if (commands.some((each) => each.key?.startsWith(`${key} `))) {
      first = key;
      timer = window.setTimeout(() => {
        first = "";
      }, SEQUENCE_MS);
    }
  }

  window.addEventListener("keydown", onKey);
  return () => {
    window.removeEventListener("keydown", onKey);
  };
}

/** The name of a key that was pressed; null if it is one that the page leaves to the browser. */
export function keyOf(
  event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">,
): string | null {
  if (event.altKey) return null;
  if (event.ctrlKey || event.metaKey) return event.key.toLowerCase() === "k" ? "mod+k" : null;
  // Shift makes another character of most keys; of letters it is the same one, larger.
  return event.shiftKey && /^[A-Za-z]$/.test(event.key) ? `shift+${event.key.toLowerCase()}` : event.key;
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== "checkbox" && target.type !== "radio";
  return (
    target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement
  );
}
