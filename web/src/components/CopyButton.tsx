import { useEffect, useState } from "react";
import { Icon } from "./Icon";

const SAID_MS = 1500;

/** Copies a text. Where the browser does not let it (HTTP on another host), the text is selected by hand. */
export function CopyButton({
  text,
  label = "Copy",
  iconOnly = false,
}: {
  text: string;
  label?: string;
  iconOnly?: boolean;
}) {
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = window.setTimeout(() => {
      setSaid(null);
    }, SAID_MS);
    return () => {
      window.clearTimeout(timer);
    };
  }, [said]);

  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      setSaid("The browser does not allow it");
    }
  }

  return (
    <button
      type="button"
      className="btn ghost small"
      onClick={() => void copy()}
      aria-label={iconOnly ? label : undefined}
      title={label}
    >
      <Icon name={said === "Copied" ? "check" : "copy"} size={12} />
      <span aria-live="polite" className={iconOnly && said === null ? "sr" : ""}>
        {said ?? (iconOnly ? "" : label)}
      </span>
    </button>
  );
}
