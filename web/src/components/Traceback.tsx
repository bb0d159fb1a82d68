interface TracebackProps {
  type: string;
  message: string;
  /** As Python prints it; null if there is none. */
  traceback?: string | null;
}

/** An error: its traceback as Python prints it, with its last line marked. */
export function Traceback({ type, message, traceback }: TracebackProps) {
  return (
    <pre className="tb pb" tabIndex={0}>
      {traceback ? withoutError(traceback, type) : null}
      <span className="exc">{type}</span>: {message}
    </pre>
  );
}

/** The frames alone: the last line says what type and message already do. */
function withoutError(traceback: string, type: string): string {
  const lines = traceback.trimEnd().split("\n");
  const error = lines.findLastIndex(
    (line) => line.startsWith(type) || line.split(":")[0]?.endsWith(`.${type}`),
  );
  return `${lines.slice(0, error < 0 ? lines.length : error).join("\n")}\n`;
}
