import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { apiKeys, createKey, type IssuedKey } from "@/api/admin";
import { me } from "@/api/session";
import { useWrite } from "@/api/writes";
import { Checks } from "@/components/Checks";
import { Field, SelectField, TextField } from "@/components/Field";
import { FormDialog, LimitFields } from "@/components/FormDialog";
import { type Draft, EXPIRIES, type Expiry, flawOf, givable, grantOf, ROLES, SCOPES } from "./grant";

const EMPTY: Draft = {
  owner: "",
  may: "viewer",
  scopes: [],
  types: "",
  tags: "",
  expiry: "never",
  at: "",
};

interface CreateKeyProps {
  onCreated: (key: IssuedKey) => void;
  onClose: () => void;
}

/** Asks whose the key is, and what it is to allow. */
export function CreateKey({ onCreated, onClose }: CreateKeyProps) {
  const { roles, scopes } = givable(useQuery(me).data ?? { scopes: [] });
  const [draft, setDraft] = useState<Draft>({ ...EMPTY, may: roles[0] ?? "scopes" });
  const [flaw, setFlaw] = useState<string | null>(null);
  const change = (next: Partial<Draft>) => {
    setDraft({ ...draft, ...next });
    setFlaw(null);
  };
  const write = useWrite(createKey, () => [apiKeys.queryKey]);

  function submit(): void {
    const found = flawOf(draft, Date.now());
    setFlaw(found);
    if (found === null) write.mutate(grantOf(draft, Date.now()), { onSuccess: onCreated });
  }

  return (
    <FormDialog
      title="Create a key"
      action="Create it"
      busy="Creating…"
      write={write}
      flaw={flaw}
      onSubmit={submit}
      onClose={onClose}
    >
      <TextField
        label="Owner"
        hint="A person or a program. It stands in the history of jobs and in the audit. All keys of one owner share a rate limit."
        value={draft.owner}
        maxLength={100}
        isRequired
        onChange={(owner) => {
          change({ owner });
        }}
      />
      <SelectField
        label="May"
        value={draft.may}
        options={[...roles.map((role) => [role, ROLES[role].text] as const), ["scopes", "single scopes"]]}
        onChange={(may) => {
          change({ may });
        }}
      />
      {draft.may === "scopes" && (
        <Checks
          legend="Scopes"
          about={SCOPES}
          all={scopes}
          chosen={draft.scopes}
          onChange={(next) => {
            change({ scopes: next });
          }}
        />
      )}
      <LimitFields types={draft.types} tags={draft.tags} onChange={change} />
      <SelectField<Expiry>
        label="Expires"
        value={draft.expiry}
        options={EXPIRIES}
        onChange={(expiry) => {
          change({ expiry });
        }}
      />
      {draft.expiry === "at" && (
        <Field label="Expires at">
          {(control) => (
            <input
              {...control}
              type="datetime-local"
              className="input"
              required
              value={draft.at}
              onChange={(event) => {
                change({ at: event.target.value });
              }}
            />
          )}
        </Field>
      )}
    </FormDialog>
  );
}
