import { Dialog } from "@/components/Dialog";

interface RetryDialogProps {
  name: string;
  warnings: readonly string[];
  onRetry: () => void;
  onClose: () => void;
}

/** Asks before a retry that would, or might, do something a second time. */
export function RetryDialog({ name, warnings, onRetry, onClose }: RetryDialogProps) {
  return (
    <Dialog
      title={`Retry “${name}”?`}
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Leave it
          </button>
          <button
            type="button"
            className="btn danger"
            onClick={() => {
              onRetry();
              onClose();
            }}
          >
            Retry all the same
          </button>
        </>
      }
    >
      <section className="col">
        <p className="m">It may do its work twice.</p>
        <ul className="plain-list">
          {warnings.map((warning) => (
            <li key={warning}>{warning}</li>
          ))}
        </ul>
        <p className="ink-2">It is safe if the task looks first whether its work is done.</p>
      </section>
    </Dialog>
  );
}
