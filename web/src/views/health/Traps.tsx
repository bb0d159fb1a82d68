import type { Schemas } from "@/api/types";
import { CopyButton } from "@/components/CopyButton";
import { Icon } from "@/components/Icon";
import { Facts, Panel } from "@/components/Panel";
import { plural } from "@/format/format";

/** Settings that go wrong on a bad day, each with what to change. */
export function Traps({ traps }: { traps: readonly Schemas["Trap"][] }) {
  return (
    <Panel
      title="Settings"
      sub={plural(traps.length, "trap")}
      foot="Settings are changed by people: a repair leaves them."
    >
      <ul>
        {traps.map((trap) => (
          <li key={`${trap.name} ${trap.where}`} className="trap">
            <span className="failed">
              <Icon name="alert" size={16} />
            </span>
            <div>
              <p className="what">
                <b>{trap.problem}</b> <span className="code">{trap.name}</span>
              </p>
              <p className="ink-2">{trap.consequence}</p>
              <Facts
                facts={[
                  ["Where", trap.where],
                  [
                    "Change",
                    <span className="row wrap">
                      <span className="m">{trap.change}</span>
                      <CopyButton text={trap.change} label="Copy what to change" iconOnly />
                    </span>,
                  ],
                  ["See", <Source text={trap.source} />],
                ]}
              />
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** Where it is documented: an address is a link. */
function Source({ text }: { text: string }) {
  return text.split(/(https:\/\/[^\s;,]+)/).map((part, index) =>
    index % 2 === 1 ? (
      <a key={part} href={part} target="_blank" rel="noreferrer">
        {part.replace("https://", "")}
      </a>
    ) : (
      part
    ),
  );
}
