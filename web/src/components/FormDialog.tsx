import { type ReactNode, useId } from "react";
import { Dialog } from "./Dialog";
import { TextField } from "./Field";
import { Icon } from "./Icon";
import { ErrorNotice } from "./states";

interface FormDialogProps {
  title: string;
  /** What the button says. */
  action: string;
  /** What it says while that is done. */
  busy: string;
  write: { readonly isPending: boolean; readonly error: Error | null };
  /** What is wrong with the draft; null: nothing. */
  flaw: string | null;
  onSubmit: () => void;
  onClose: () => void;
  /** Its fields. */
  children: ReactNode;
}

/** Asks for the fields of something that is made or changed. It stays until that was done, and says why it was not. */
export function FormDialog({
  title,
  action,
  busy,
  write,
  flaw,
  onSubmit,
  onClose,
  children,
}: FormDialogProps) {
  const id = useId();
  return (
    <Dialog
      title={title}
      className="tall"
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" form={id} className="btn primary" disabled={write.isPending}>
            {write.isPending ? busy : action}
          </button>
        </>
      }
    >
      <form
        id={id}
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        <section className="col">
          {write.error && <ErrorNotice error={write.error} />}
          {children}
          {flaw !== null && (
            <p className="row failed t-12" role="alert">
              <Icon name="alert" size={12} /> {flaw}
            </p>
          )}
        </section>
      </form>
    </Dialog>
  );
}

interface LimitFieldsProps {
  types: string;
  tags: string;
  onChange: (next: { types: string } | { tags: string }) => void;
}

/** To which jobs something is limited. */
export function LimitFields({ types, tags, onChange }: LimitFieldsProps) {
  return (
    <>
      <TextField
        label="Only jobs of these types"
        hint="One on each line. Empty: of all types."
        rows={2}
        value={types}
        onChange={(next) => {
          onChange({ types: next });
        }}
      />
      <TextField
        label="Only jobs with one of these tags"
        hint="One on each line. Empty: with any or none."
        rows={2}
        value={tags}
        onChange={(next) => {
          onChange({ tags: next });
        }}
      />
    </>
  );
}
