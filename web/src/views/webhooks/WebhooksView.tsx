import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { type WebhookCreated, webhooks } from "@/api/admin";
import { useMay } from "@/api/session";
import { useCommands } from "@/commands/commands";
import { Grid } from "@/components/Grid";
import { Icon } from "@/components/Icon";
import { Secret } from "@/components/Secret";
import { Answered, Empty } from "@/components/states";
import { plural } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { COLUMNS } from "./columns";
import { Deliveries } from "./Deliveries";
import type { WebhooksSearch } from "./route";
import { type Question, WebhookDetail } from "./WebhookDetail";
import { WebhookForm } from "./WebhookForm";
import { DeleteWebhook, RotateSecret } from "./WebhookQuestions";
import "./webhooks.css";

const route = getRouteApi("/webhooks");

/** Who is told what happens, and what was sent. Its URL has the webhook that is looked at, and the page of its deliveries. */
export function WebhooksView() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/webhooks" });
  const list = useQuery(webhooks);
  useLive([webhooks.queryKey], { on: "clock" });
  const isAdmin = useMay("admin");
  const off = useWritesOff();
  const [asked, setAsked] = useState<"create" | Question | null>(null);
  const [created, setCreated] = useState<WebhookCreated | null>(null);
  const looked = list.data?.webhooks.find(({ id }) => id === search.webhook);
  const change = (next: Partial<WebhooksSearch>) =>
    void navigate({ search: (old) => ({ ...old, ...next }), replace: true, resetScroll: false });
  const look = (webhook: string | undefined) => {
    change({ webhook, cursor: undefined, delivery: undefined });
  };
  const close = () => {
    setAsked(null);
  };
  const show = (webhook: WebhookCreated) => {
    close();
    setCreated(webhook);
    look(webhook.id);
  };
  const create = () => {
    setAsked("create");
  };
  useCommands(isAdmin && off === null ? [{ label: "Create a webhook…", run: create }] : []);

  return (
    <View
      title="Webhooks"
      sub="who is told what happens"
      actions={
        isAdmin && (
          <button
            type="button"
            className="btn primary"
            disabled={off !== null}
            title={off ?? undefined}
            onClick={create}
          >
            Create a webhook…
          </button>
        )
      }
    >
      {created && (
        <Secret
          title={`The secret of ${created.id}`}
          secret={created.secret}
          onKept={() => {
            setCreated(null);
          }}
        >
          <p className="ink-2 t-12">The receiver verifies with it that a message is from here.</p>
        </Secret>
      )}
      {(list.data?.unannounced ?? 0) > 0 && (
        <div className="notice warn">
          <Icon name="alert" />
          <div>
            <b>No webhook was told of {plural(list.data?.unannounced ?? 0, "job")}:</b> more than 50,000 had
            settled while no API ran.
          </div>
        </div>
      )}
      <section className="panel" aria-label="Webhooks">
        <Answered query={list} rows={4}>
          {({ webhooks: found }) =>
            found.length === 0 ? (
              <Empty title="Nobody is told of anything yet.">
                <p>
                  A webhook posts a message to an address when a job fails, an error is new, a queue has no
                  consumer, or a worker is lost.
                </p>
              </Empty>
            ) : (
              <Grid
                label="Webhooks"
                className="fold webhooks-list"
                columns={COLUMNS}
                rows={found}
                rowKey={({ id }) => id}
                rowClass={({ id }) => (id === search.webhook ? "sel" : "")}
                onOpen={({ id }) => {
                  look(id === search.webhook ? undefined : id);
                }}
              />
            )
          }
        </Answered>
      </section>
      {looked && (
        <>
          <WebhookDetail
            key={looked.id}
            webhook={looked}
            off={off}
            onAsk={setAsked}
            onTested={() => {
              change({ cursor: undefined });
            }}
          />
          <Deliveries key={`deliveries ${looked.id}`} webhook={looked} search={search} onChange={change} />
        </>
      )}
      {asked === "create" && <WebhookForm webhook={null} onCreated={show} onClose={close} />}
      {asked === "edit" && looked && <WebhookForm webhook={looked} onCreated={show} onClose={close} />}
      {asked === "rotate" && looked && <RotateSecret webhook={looked} onRotated={show} onClose={close} />}
      {asked === "delete" && looked && (
        <DeleteWebhook
          webhook={looked}
          onDeleted={() => {
            close();
            look(undefined);
            void list.refetch();
          }}
          onClose={close}
        />
      )}
    </View>
  );
}
