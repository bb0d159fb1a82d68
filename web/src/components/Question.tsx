import type { UseMutationResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Dialog } from "./Dialog";
import { ErrorNotice } from "./states";

interface QuestionProps<Answer> {
  title: string;
  /** What the button says. */
  action: string;
  /** What it says while that is done. */
  busy: string;
  /** Nothing brings back what goes with it. */
  isDanger: boolean;
  write: UseMutationResult<Answer, Error, unknown>;
  onDone: (answer: Answer) => void;
  onClose: () => void;
  /** What follows from it. */
  children: ReactNode;
}

/** Asks before something is done. It stays until that was done, and says why it was not. */
export function Question<Answer>({
  title,
  action,
  busy,
  isDanger,
  write,
  onDone,
  onClose,
  children,
}: QuestionProps<Answer>) {
  return (
    <Dialog
      title={title}
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button
            type="button"
            className={`btn ${isDanger ? "danger" : "primary"}`}
            disabled={write.isPending}
            onClick={() => {
              write.mutate(undefined, { onSuccess: onDone });
            }}
          >
            {write.isPending ? busy : action}
          </button>
        </>
      }
    >
      <section className="col">
        {write.error && <ErrorNotice error={write.error} />}
        {children}
      </section>
    </Dialog>
  );
}
