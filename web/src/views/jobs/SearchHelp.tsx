import { useQuery } from "@tanstack/react-query";
import { suggested } from "@/api/queries";
import { Dialog } from "@/components/Dialog";
import { Answered } from "@/components/states";

const EXAMPLES = [
  ["status:failed type:invoice since:2h", "invoices that failed and were created in the last two hours"],
  ['"timed out"', "a text in the name, the type or the reason"],
  ["status:failed,cancelled", "one of several values"],
  ["-type:mail", "not of this type"],
  ["running_at:14:02", "what ran at that time, in your zone"],
  ["run:>10m wait:<5s", "how long it has run and waited"],
] as const;

/** The language of the search box: examples, and each qualifier with what it takes, as the API says. */
export function SearchHelp({ onClose }: { onClose: () => void }) {
  const qualifiers = useQuery(suggested(""));
  return (
    <Dialog
      title="How to search"
      className="search-help-dialog"
      onClose={onClose}
      footer={
        <>
          <span className="ink-3 t-12 hide-s">
            <kbd>esc</kbd> back to the search
          </span>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Close
          </button>
        </>
      }
    >
      <section tabIndex={0} aria-label="The language">
        <p className="ink-2">A job must match all that stands there.</p>
        <dl className="kv">
          {EXAMPLES.map(([text, what]) => (
            <div key={text} className="contents">
              <dt>
                <code>{text}</code>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <h3>Qualifiers</h3>
        <Answered query={qualifiers}>
          {({ suggestions }) => (
            <dl className="kv">
              {suggestions.map(({ text, hint }) => (
                <div key={text} className="contents">
                  <dt>
                    <code>{text}</code>
                  </dt>
                  <dd>{hint}</dd>
                </div>
              ))}
            </dl>
          )}
        </Answered>
      </section>
    </Dialog>
  );
}
