import { Link } from "@tanstack/react-router";
import type { ApiKey } from "@/api/admin";
import { Icon } from "@/components/Icon";
import { Facts, Panel } from "@/components/Panel";
import { Time } from "@/components/Time";
import { KeyState, seesOf } from "./columns";
import { mayOf } from "./grant";

interface KeyDetailProps {
  apiKey: ApiKey;
  isOwn: boolean;
  off: string | null;
  onRotate: () => void;
  onRevoke: () => void;
}

/** All about the key that is looked at, and what can be done with it. */
export function KeyDetail({ apiKey, isOwn, off, onRotate, onRevoke }: KeyDetailProps) {
  const { id, owner, state } = apiKey;
  return (
    <Panel
      title={owner}
      sub={<code>{id}</code>}
      actions={
        state !== "revoked" && (
          <>
            <button
              type="button"
              className="btn"
              disabled={off !== null}
              title={off ?? undefined}
              onClick={onRotate}
            >
              Rotate…
            </button>
            <button
              type="button"
              className="btn"
              disabled={off !== null}
              title={off ?? undefined}
              onClick={onRevoke}
            >
              Revoke…
            </button>
          </>
        )
      }
      foot={
        <Link to="/audit" search={{ principal: owner }}>
          What {owner} has changed
        </Link>
      }
    >
      {isOwn && (
        <p className="pb row t-12">
          <Icon name="person" size={12} /> You have logged in with this key.
        </p>
      )}
      <Facts
        facts={[
          ["State", <KeyState state={state} />],
          ["May", mayOf(apiKey)],
          ["Sees", seesOf(apiKey)],
          ["Created", <Time at={apiKey.created_at} />],
          ["Expires", apiKey.expires_at == null ? "never" : <Time at={apiKey.expires_at} />],
          ["Last used", apiKey.last_used_at == null ? "never" : <Time at={apiKey.last_used_at} as="ago" />],
          ["Revoked", apiKey.revoked_at != null && <Time at={apiKey.revoked_at} />],
        ].map(([name, value]) => [name as string, value === false ? null : value])}
      />
    </Panel>
  );
}
