import { useState } from "react";
import { plural } from "@/format/format";
import { type Part, partsOf } from "./traceback";
import "./traceback.css";

interface TracebackProps {
  type: string;
  message: string;
  /** As Python prints it; null if there is none. */
  traceback?: string | null;
  /** Whether frames of libraries are shown too. */
  isUnfolded?: boolean;
}

/** An error: your own frames marked, those of libraries folded, and its last line. */
export function Traceback({ type, message, traceback, isUnfolded = false }: TracebackProps) {
  return (
    <pre className="tb pb" tabIndex={0}>
      {traceback
        ? partsOf(withoutError(traceback, type)).map((part, index) => (
            <TracebackPart key={index} part={part} isUnfolded={isUnfolded} />
          ))
        : null}
      <span className="exc">{type}</span>
      {message !== "" && <span className="message">: {message}</span>}
    </pre>
  );
}

/** How many frames of a traceback are your own, and how many are folded. */
export function framesOf(traceback: string | null | undefined): { ours: number; library: number } {
  const found = { ours: 0, library: 0 };
  for (const { kind, frames } of partsOf(traceback ?? "")) if (kind !== "text") found[kind] += frames;
  return found;
}

function TracebackPart({ part, isUnfolded }: { part: Part; isUnfolded: boolean }) {
  const [isOpen, setOpen] = useState(false);
  if (part.kind === "ours") return <span className="ours">{part.text}</span>;
  if (part.kind === "text") return `${part.text}\n`;
  const isShown = isOpen || isUnfolded;
  return (
    <>
      {!isUnfolded && (
        <button
          type="button"
          className="fold"
          aria-expanded={isOpen}
          onClick={() => {
            setOpen(!isOpen);
          }}
        >
          <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span> {plural(part.frames, "frame")} in{" "}
          {part.packages.join(", ")}
        </button>
      )}
      {isShown && <span className="library">{part.text}</span>}
    </>
  );
}

/** The frames alone: the last line says what type and message already do. */
function withoutError(traceback: string, type: string): string {
  const lines = traceback.trimEnd().split("\n");
  const error = lines.findLastIndex(
    (line) => line.startsWith(type) || line.split(":")[0]?.endsWith(`.${type}`),
  );
  return lines.slice(0, error < 0 ? lines.length : error).join("\n");
}
