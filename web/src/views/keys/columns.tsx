import type { ApiKey } from "@/api/admin";
import { limitsOf } from "@/api/session";
import type { Column } from "@/components/Grid";
import { Time } from "@/components/Time";
import { mayOf } from "./grant";

/** To which jobs a key is limited. */
export function seesOf({ job_types: types, tags }: Pick<ApiKey, "job_types" | "tags">): string {
  return limitsOf({ job_types: types ?? null, tags: tags ?? null }) ?? "all jobs";
}

/** Whether a key is accepted; a word in all cases. */
export function KeyState({ state }: Pick<ApiKey, "state">) {
  return <span className={state === "active" ? "" : "dim"}>{state}</span>;
}

/** The columns of the list. */
export function columnsOf(own: string | null): readonly Column<ApiKey>[] {
  return [
    {
      id: "owner",
      title: "Owner",
      width: "minmax(150px, 1fr)",
      cell: ({ owner, id }) => (
        <span className="row">
          <span className="name cut">{owner}</span>
          <span className="mono t-11 dim">{id}</span>
          {id === own && <span className="badge">YOURS</span>}
        </span>
      ),
    },
    {
      id: "may",
      title: "May",
      width: "minmax(80px, 0.5fr)",
      cell: (key) => <span title={mayOf(key)}>{mayOf(key)}</span>,
    },
    {
      id: "sees",
      title: "Sees",
      width: "minmax(90px, 0.8fr)",
      cell: (key) => (
        <span className="dim" title={seesOf(key)}>
          {seesOf(key)}
        </span>
      ),
    },
    {
      id: "created",
      title: "Created",
      width: "96px",
      align: "right",
      cell: (key) => <Time at={key.created_at} />,
    },
    {
      id: "expires",
      title: "Expires",
      width: "96px",
      align: "right",
      cell: ({ expires_at: at }) => (at == null ? <span className="dim">never</span> : <Time at={at} />),
    },
    {
      id: "used",
      title: "Last used",
      width: "96px",
      align: "right",
      cell: ({ last_used_at: at }) =>
        at == null ? <span className="dim">never</span> : <Time at={at} as="ago" />,
    },
    { id: "state", title: "State", width: "66px", cell: (key) => <KeyState state={key.state} /> },
  ];
}
