import { Dialog } from "@/components/Dialog";

interface RetryDialogProps {
  name: string;
  warnings: readonly string[];
  /** That no worker can run it, perhaps. */
  missing: string | null;
  onRetry: () => void;
  onClose: () => void;
}

/** Asks before a retry that might do something a second time, or that no worker can run. */
export function RetryDialog({ name, warnings, missing, onRetry, onClose }: RetryDialogProps) {
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
        {missing && <p className="m">{missing}</p>}
        {warnings.length > 0 && (
          <>
            <p className="m">It may do its work twice.</p>
            <ul className="plain-list">
              {warnings.map((warning) => (
                <li key={warning}>{warning}</li>
              ))}
            </ul>
            <p className="ink-2">It is safe if the task looks first whether its work is done.</p>
          </>
        )}
      </section>
    </Dialog>
  );
}
