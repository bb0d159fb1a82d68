import { useState } from "react";
import { type ApiKey, apiKeys, type IssuedKey, revokeKey, rotateKey } from "@/api/admin";
import { useWrite } from "@/api/writes";
import { Question } from "@/components/Question";
import { SelectField } from "@/components/Field";
import { OVERLAPS, type Overlap } from "@/components/overlaps";
import { Time } from "@/components/Time";

interface RotateKeyProps {
  apiKey: ApiKey;
  /** The caller has logged in with it. */
  isOwn: boolean;
  onRotated: (key: IssuedKey) => void;
  onClose: () => void;
}

/**
 * Asks how long older secrets are accepted beside the new one. Of one's own key they are for a while: the login would
 * stand in front of the new one.
 */
export function RotateKey({ apiKey: { id, owner }, isOwn, onRotated, onClose }: RotateKeyProps) {
  const [overlap, setOverlap] = useState<Overlap>("86400");
  const write = useWrite(
    () => rotateKey(id, Number(overlap)),
    () => [apiKeys.queryKey],
  );
  return (
    <Question
      title={`Rotate the key of ${owner}?`}
      action="Rotate it"
      busy="Rotating…"
      isDanger={overlap === "0"}
      write={write}
      onDone={onRotated}
      onClose={onClose}
    >
      <p>It gets a new secret, which is shown once. Id, role and limits stay.</p>
      <SelectField<Overlap>
        label="Older secrets are accepted"
        value={overlap}
        options={isOwn ? OVERLAPS.filter(([seconds]) => seconds !== "0") : OVERLAPS}
        onChange={setOverlap}
      />
      {isOwn && (
        <p className="m">
          You have logged in with it: after that time you have to log in with the new secret. To end older
          ones at once, rotate it in a shell: <code>jobtracker keys rotate {id} --overlap 0</code>.
        </p>
      )}
    </Question>
  );
}

interface RevokeKeyProps {
  apiKey: ApiKey;
  isOwn: boolean;
  /** No other key may manage keys. */
  isLast: boolean;
  onClose: () => void;
}

/** Asks before a key is revoked: nothing brings it back. */
export function RevokeKey({
  apiKey: { id, owner, last_used_at: used },
  isOwn,
  isLast,
  onClose,
}: RevokeKeyProps) {
  const write = useWrite(
    () => revokeKey(id),
    () => [apiKeys.queryKey],
  );
  return (
    <Question
      title={`Revoke the key of ${owner}?`}
      action="Revoke it"
      busy="Revoking…"
      isDanger
      write={write}
      onDone={onClose}
      onClose={onClose}
    >
      <p>
        The key <code>{id}</code> is refused from now on, after 5 seconds at the latest. This can’t be taken
        back.
      </p>
      <p>
        {used == null ? (
          "It was never used."
        ) : (
          <>
            It was last used <Time at={used} as="ago" />.
          </>
        )}
      </p>
      {isOwn && <p className="m">You have logged in with it: your session ends.</p>}
      {isLast && (
        <p className="m">
          No other key may manage keys. Then one is made with <code>jobtracker keys create</code>, where the
          store can be reached.
        </p>
      )}
    </Question>
  );
}
