import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type Delivery, deliveries, redeliver, type Webhook, webhooks } from "@/api/admin";
import { useWrite } from "@/api/writes";
import type { Column } from "@/components/Grid";
import { Panel } from "@/components/Panel";
import { Answered, Empty, ErrorNotice } from "@/components/states";
import { Table } from "@/components/Table";
import { Time } from "@/components/Time";
import { count, UNKNOWN } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { useLive } from "@/live/useLive";
import { DeliveryDialog } from "./DeliveryDialog";
import { DeliveryState, Subject } from "./parts";
import type { WebhooksSearch } from "./route";
import { lastAttemptOf } from "./wanted";

interface DeliveriesProps {
  webhook: Webhook;
  search: WebhooksSearch;
  onChange: (next: Partial<WebhooksSearch>) => void;
}

/** What is to be sent to a webhook, and what was: each can be sent once more. */
export function Deliveries({ webhook: { id }, search, onChange }: DeliveriesProps) {
  const wanted = deliveries(id, search.cursor);
  const page = useQuery(wanted);
  useLive([wanted.queryKey], { on: "clock" });
  const off = useWritesOff();
  const write = useWrite(
    (delivery: string) => redeliver(id, delivery),
    () => [webhooks.queryKey],
  );
  const again = (delivery: string) => {
    write.mutate(delivery);
  };
  const doing = write.isPending ? write.variables : null;
  const looked = page.data?.deliveries.find((each) => each.id === search.delivery);
  const open = (delivery: string) => {
    onChange({ delivery });
  };

  return (
    <Panel
      title="Deliveries"
      sub="to be sent first, then the latest"
      foot={
        page.data === undefined ||
        (search.cursor === undefined && page.data.next_cursor === null) ? undefined : (
          <>
            <span>The log has the last 1,000, and all that are pending.</span>
            <span className="push row">
              {search.cursor !== undefined && (
                <Link to="/webhooks" search={{ webhook: id }} resetScroll={false} className="btn small">
                  Latest
                </Link>
              )}
              {page.data.next_cursor !== null && (
                <Link
                  to="/webhooks"
                  search={{ webhook: id, cursor: page.data.next_cursor }}
                  resetScroll={false}
                  className="btn small"
                >
                  Older
                </Link>
              )}
            </span>
          </>
        )
      }
    >
      {write.error && <ErrorNotice error={write.error} />}
      <Answered query={page} rows={4}>
        {({ deliveries: found }) => (
          <Table
            label="Deliveries"
            className="fold deliveries"
            columns={columnsOf(open, again, doing, off)}
            rows={found}
            rowKey={(each) => each.id}
            empty={
              <Empty title="Nothing was sent yet.">
                <p>Send a test to see whether the address takes it.</p>
              </Empty>
            }
          />
        )}
      </Answered>
      {looked && (
        <DeliveryDialog
          delivery={looked}
          isSending={doing === looked.id}
          off={off}
          onRedeliver={() => {
            again(looked.id);
          }}
          onClose={() => {
            onChange({ delivery: undefined });
          }}
        />
      )}
    </Panel>
  );
}

function columnsOf(
  open: (id: string) => void,
  again: (id: string) => void,
  doing: string | null,
  off: string | null,
): readonly Column<Delivery>[] {
  return [
    {
      id: "event",
      title: "Event",
      width: "minmax(130px, 0.8fr)",
      cell: ({ id, event }) => (
        <button
          type="button"
          className="link mono t-12"
          title={`Its attempts and its body: ${id}`}
          onClick={() => {
            open(id);
          }}
        >
          {event}
        </button>
      ),
    },
    {
      id: "subject",
      title: "Subject",
      width: "minmax(100px, 1fr)",
      cell: (delivery) => <Subject delivery={delivery} />,
    },
    {
      id: "state",
      title: "State",
      width: "76px",
      cell: ({ state }) => <DeliveryState state={state} />,
    },
    {
      id: "created",
      title: "Created",
      width: "84px",
      align: "right",
      cell: (each) => <Time at={each.created_at} />,
    },
    {
      id: "tried",
      title: "Attempts",
      width: "60px",
      align: "right",
      cell: ({ attempt_count: tried }) => count(tried),
    },
    {
      id: "last",
      title: "Last attempt",
      width: "minmax(110px, 1fr)",
      cell: (delivery) => <span title={lastAttemptOf(delivery)}>{lastAttemptOf(delivery)}</span>,
    },
    {
      id: "next",
      title: "Next",
      width: "72px",
      align: "right",
      cell: ({ state, next_attempt_at: at }) => (state === "pending" ? <Time at={at} /> : UNKNOWN),
    },
    {
      id: "again",
      title: "Once more",
      width: "92px",
      cell: ({ id }) => (
        <button
          type="button"
          className="btn ghost small"
          disabled={off !== null || doing !== null}
          title={off ?? "Send it once more, now"}
          onClick={() => {
            again(id);
          }}
        >
          {doing === id ? "Sending…" : "Redeliver"}
        </button>
      ),
    },
  ];
}
