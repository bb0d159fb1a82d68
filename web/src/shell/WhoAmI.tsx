import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { limitsOf, logOut, me, roleOf, type Scope } from "@/api/session";
import { useCommands } from "@/commands/commands";
import { dismissAll } from "@/components/bulk/pending";
import { Icon } from "@/components/Icon";
import { Menu } from "@/components/Menu";
import { ErrorNotice } from "@/components/states";
import { sessionEnded } from "@/live/session";

/** Who uses the page, in the foot of the menu: a click says what they may do, and logs out. */
export function WhoAmI({ buttonClass = "" }: { buttonClass?: string }) {
  const { data } = useQuery(me);
  if (data === undefined) return null;
  const limits = limitsOf(data);
  return (
    <Menu
      label="Who I am"
      buttonClass={buttonClass}
      button={
        <>
          <Icon name="person" size={12} />
          <span className="cut">
            {data.is_anonymous ? "Open to this machine" : `${data.name} · ${roleOf(data)}`}
          </span>
        </>
      }
    >
      <div className="who-i-am">
        <p className="who-head">{data.name}</p>
        <dl>
          {data.role && (
            <>
              <dt>Role</dt>
              <dd>{data.role}</dd>
            </>
          )}
          <dt>May</dt>
          <dd>
            {data.scopes.map((scope) => (
              <div key={scope}>
                {MEANINGS[scope]} <code className="ink-3">{scope}</code>
              </div>
            ))}
          </dd>
          <dt>Sees</dt>
          <dd>{limits ?? "all jobs"}</dd>
          {data.key_id && (
            <>
              <dt>Key</dt>
              <dd>
                <code>{data.key_id}</code>
              </dd>
            </>
          )}
        </dl>
        {data.is_anonymous && (
          <p className="ink-2">There is no API key yet: whoever asks from here may do that.</p>
        )}
        {data.has_session && <LogOutButton />}
      </div>
    </Menu>
  );
}

/** What one may do with a scope. */
const MEANINGS: Readonly<Record<Scope, string>> = {
  "jobs:read": "see jobs",
  "jobs:create": "create jobs",
  "jobs:control": "start, cancel, retry, change jobs",
  "jobs:delete": "delete jobs",
  "masked:read": "see masked values",
  admin: "manage keys, webhooks, the audit",
};

/** Log out: what was read is forgotten. The address stays, for whoever logs in next. */
function useLogOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: logOut,
    onSuccess: () => {
      sessionEnded("");
      dismissAll();
      queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== me.queryKey[0] });
      // Without the session, a proxy may still know who it is.
      void queries.resetQueries({ queryKey: me.queryKey });
    },
  });
}

function LogOutButton() {
  const write = useLogOut();
  return (
    <>
      <button
        type="button"
        className="opt"
        disabled={write.isPending}
        onClick={() => {
          write.mutate();
        }}
      >
        <Icon name="external" /> {write.isPending ? "Logging out…" : "Log out"}
      </button>
      {write.error && <ErrorNotice error={write.error} />}
    </>
  );
}

/** Logging out by the palette. */
export function LogOutCommand() {
  const { data } = useQuery(me);
  const write = useLogOut();
  useCommands(
    data?.has_session
      ? [
          {
            label: "Log out",
            run: () => {
              write.mutate();
            },
          },
        ]
      : [],
  );
  return null;
}
