import { Icon } from "./Icon";

interface UnreadProps {
  /** Parameters of the address, as they stand there. */
  given: Readonly<Record<string, string | undefined>>;
  /** The same, as they were read; undefined: it can't be. */
  read: Readonly<Record<string, string | undefined>>;
  /** What is shown instead. */
  instead: string;
}

/** Says which parameters of the address can't be read, for example of a link that was cut. */
export function Unread({ given, read, instead }: UnreadProps) {
  const unread = Object.entries(given).flatMap(([name, text]) =>
    text === undefined || read[name] !== undefined ? [] : [{ name, text }],
  );
  if (unread.length === 0) return null;
  return (
    <div className="notice warn" role="status">
      <Icon name="alert" />
      <div>
        The address has{" "}
        {unread.map(({ name, text }, index) => (
          <span key={name}>
            {index > 0 && " and "}
            <code>
              {name}={text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}
            </code>
          </span>
        ))}
        , which can’t be read. {instead}
      </div>
    </div>
  );
}

const LONGEST = 60;
