import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { type ApiKey, apiKeys, type IssuedKey } from "@/api/admin";
import { me, useMay } from "@/api/session";
import { useCommands } from "@/commands/commands";
import { Choose } from "@/components/Choose";
import { CopyButton } from "@/components/CopyButton";
import { Grid } from "@/components/Grid";
import { Secret } from "@/components/Secret";
import { Answered, Empty } from "@/components/states";
import { Time } from "@/components/Time";
import { count } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { useLive } from "@/live/useLive";
import { View } from "@/shell/View";
import { columnsOf } from "./columns";
import { CreateKey } from "./CreateKey";
import { isLastAdmin } from "./grant";
import { KeyDetail } from "./KeyDetail";
import { RevokeKey, RotateKey } from "./KeyQuestions";
import type { KeysSearch } from "./route";

const route = getRouteApi("/keys");
const BEATS = 6;
const FIRST_KEY = "jobtracker keys create --owner NAME --role admin";

/** API keys: who has one, what it allows, when it was used last. Its URL has which keys, and the one that is looked at. */
export function KeysView() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/keys" });
  const list = useQuery(apiKeys);
  useLive([apiKeys.queryKey], { on: "clock", beats: BEATS });
  const { data: who } = useQuery(me);
  const isAdmin = useMay("admin");
  const mayCreate = isAdmin && who?.is_anonymous === false;
  const off = useWritesOff();
  const [asked, setAsked] = useState<"create" | "rotate" | "revoke" | null>(null);
  const [issued, setIssued] = useState<IssuedKey | null>(null);
  const all = list.data ?? [];
  const active = all.filter(({ state }) => state === "active");
  const looked = all.find(({ id }) => id === search.key);
  const own = who?.key_id ?? null;
  const change = (next: Partial<KeysSearch>) =>
    void navigate({ search: (old) => ({ ...old, ...next }), replace: true, resetScroll: false });
  const close = () => {
    setAsked(null);
  };
  const show = (key: IssuedKey) => {
    close();
    setIssued(key);
    change({ key: key.id });
  };
  useCommands(
    mayCreate && off === null
      ? [
          {
            label: "Create a key…",
            run: () => {
              setAsked("create");
            },
          },
        ]
      : [],
  );

  return (
    <View
      title="Keys"
      sub={
        list.data && `${count(active.length)} active, ${count(all.length - active.length)} expired or revoked`
      }
      actions={
        isAdmin && (
          <>
            <Choose
              label="Which keys"
              name="state"
              value={search.state}
              options={[
                ["active", "Active"],
                ["all", "All"],
              ]}
            />
            {mayCreate && (
              <button
                type="button"
                className="btn primary"
                disabled={off !== null}
                title={off ?? undefined}
                onClick={() => {
                  setAsked("create");
                }}
              >
                Create a key…
              </button>
            )}
          </>
        )
      }
    >
      {issued && (
        <Secret
          title={`The key of ${issued.owner}`}
          secret={issued.key}
          onKept={() => {
            setIssued(null);
          }}
        >
          {issued.older_until != null && (
            <p className="ink-2 t-12">
              Its older secrets are accepted until <Time at={issued.older_until} />.
            </p>
          )}
        </Secret>
      )}
      <section className="panel" aria-label="Keys">
        <Answered query={list} rows={6}>
          {(keys) => (
            <List
              keys={search.state === "all" ? keys : active}
              isAnonymous={who?.is_anonymous ?? false}
              own={own}
              looked={search.key}
              onLook={(id) => {
                change({ key: id === search.key ? undefined : id });
              }}
            />
          )}
        </Answered>
      </section>
      {looked && (
        <KeyDetail
          apiKey={looked}
          isOwn={looked.id === own}
          off={off}
          onRotate={() => {
            setAsked("rotate");
          }}
          onRevoke={() => {
            setAsked("revoke");
          }}
        />
      )}
      {asked === "create" && <CreateKey onCreated={show} onClose={close} />}
      {asked === "rotate" && looked && (
        <RotateKey apiKey={looked} isOwn={looked.id === own} onRotated={show} onClose={close} />
      )}
      {asked === "revoke" && looked && (
        <RevokeKey
          apiKey={looked}
          isOwn={looked.id === own}
          isLast={isLastAdmin(looked, all)}
          onClose={close}
        />
      )}
    </View>
  );
}

interface ListProps {
  keys: readonly ApiKey[];
  isAnonymous: boolean;
  own: string | null;
  looked: string | undefined;
  onLook: (id: string) => void;
}

function List({ keys, isAnonymous, own, looked, onLook }: ListProps) {
  if (keys.length > 0)
    return (
      <Grid
        label="Keys"
        className="fold keys-list"
        columns={columnsOf(own)}
        rows={keys}
        rowKey={({ id }) => id}
        rowClass={({ id, state }) => `${id === looked ? "sel" : ""} ${state === "active" ? "" : "gone"}`}
        onOpen={({ id }) => {
          onLook(id);
        }}
      />
    );
  if (isAnonymous)
    return (
      <Empty title="There is no key yet: the API is open to its own machine only.">
        <p>The first key is made where the store can be reached, as nobody knows who the caller is here:</p>
        <p className="row wrap">
          <code>{FIRST_KEY}</code> <CopyButton text={FIRST_KEY} label="Copy the command" iconOnly />
        </p>
        <p className="ink-2">From then on, nobody gets an answer without a key.</p>
      </Empty>
    );
  return (
    <Empty title="No key is active.">
      <Link to="/keys" search={{ state: "all" }} className="btn">
        Show all keys
      </Link>
    </Empty>
  );
}
