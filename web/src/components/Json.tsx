import type { ReactNode } from "react";

const MASK = "***";
/** What is drawn at once: a payload may have megabytes. The rest can be copied. */
const MOST_LINES = 400;

/** A JSON value, indented; masked values stand out. Text stays text. */
export function Json({ value }: { value: unknown }) {
  const lines = JSON.stringify(value, null, 2).split("\n");
  return (
    <pre className="json pb" tabIndex={0}>
      {lines.slice(0, MOST_LINES).map((line, index) => (
        <span key={index}>
          {coloured(line)}
          {"\n"}
        </span>
      ))}
      {lines.length > MOST_LINES && (
        <span className="ink-3">… {lines.length - MOST_LINES} more lines: copy it to see them</span>
      )}
    </pre>
  );
}

const LINE = /^(\s*)("(?:[^"\\]|\\.)*")(: )?(.*)$/;

function coloured(line: string): ReactNode {
  const [, indent, text, colon, rest] = LINE.exec(line) ?? [];
  if (text === undefined) return line;
  if (colon === undefined)
    return (
      <>
        {indent}
        {masked(text)}
        {rest}
      </>
    );
  const comma = rest?.endsWith(",") ? "," : "";
  return (
    <>
      {indent}
      <span className="k">{text}</span>
      {colon}
      {masked((rest ?? "").slice(0, (rest ?? "").length - comma.length))}
      {comma}
    </>
  );
}

function masked(value: string): ReactNode {
  return value === JSON.stringify(MASK) ? (
    <span className="masked">masked</span>
  ) : (
    <span className="s">{value}</span>
  );
}
