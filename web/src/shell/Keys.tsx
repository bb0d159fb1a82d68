const NAMES: Readonly<Record<string, string>> = { mod: "Ctrl", Enter: "enter", Escape: "esc" };

/** The keys of a command, as they are on the keyboard. */
export function Keys({ of }: { of: string | undefined }) {
  return (of ?? "")
    .split(/[ +]/)
    .filter((key) => key !== "")
    .map((key, index) => <kbd key={index}>{NAMES[key] ?? key}</kbd>);
}
