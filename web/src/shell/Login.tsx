import { useQueryClient } from "@tanstack/react-query";
import { type SyntheticEvent, useEffect, useRef, useState } from "react";
import { ApiError } from "@/api/client";
import { logIn, me } from "@/api/session";
import { Brand, Icon } from "@/components/Icon";
import { sessionBegan } from "@/live/session";
import "./login.css";

interface LoginProps {
  /** Why nobody is let in, as the API says it. */
  why: string;
  /** A view stands behind it, and is there again afterwards. */
  hasView: boolean;
}

/** The login, in front of everything. The address stays: it is where one goes on. */
export function Login({ why, hasView }: LoginProps) {
  const queries = useQueryClient();
  const dialog = useRef<HTMLDialogElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const [error, setError] = useState<Error | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    const before = document.title;
    document.title = "Log in · jobtracker";
    const element = dialog.current;
    element?.showModal();
    field.current?.focus();
    return () => {
      document.title = before;
      element?.close();
    };
  }, []);

  async function submit(event: SyntheticEvent): Promise<void> {
    event.preventDefault();
    const key = field.current?.value.trim() ?? "";
    if (key === "" || isBusy) return;
    setBusy(true);
    setError(null);
    try {
      queries.setQueryData(me.queryKey, await logIn(key));
      sessionBegan();
    } catch (refused) {
      setError(refused instanceof Error ? refused : new Error(String(refused)));
      setBusy(false);
      field.current?.select();
    }
  }

  return (
    <dialog
      ref={dialog}
      className="login"
      aria-labelledby="login-title"
      onCancel={(event) => {
        event.preventDefault();
      }}
      onClose={() => {
        if (dialog.current?.isConnected) dialog.current.showModal(); // some browsers close it by a second Escape
      }}
    >
      <main className="login-box">
        <Brand size={30} />
        <h1 id="login-title">jobtracker</h1>
        <p className="ink-2">
          at <code>{window.location.host}</code>
          {hasView && ". The session has ended: log in, and go on where you were"}
        </p>
        <form className="panel" onSubmit={(event) => void submit(event)}>
          <div className="field">
            <label htmlFor="login-key">API key</label>
            <span className={`input ${error ? "bad" : ""}`}>
              <Icon name="key" />
              <input
                ref={field}
                id="login-key"
                type={isSeen ? "text" : "password"}
                className="mono"
                autoComplete="current-password"
                spellCheck={false}
                required
                aria-invalid={error !== null}
                aria-describedby={error ? "login-error login-hint" : "login-hint"}
              />
              <button
                type="button"
                className="login-see"
                aria-label="Show the key"
                aria-pressed={isSeen}
                onClick={() => {
                  setSeen(!isSeen);
                }}
              >
                {isSeen ? "Hide" : "Show"}
              </button>
            </span>
            {error && (
              <span className="err" id="login-error" role="alert">
                <Icon name="alert" size={12} />
                <span>
                  {error instanceof ApiError && error.status === 401
                    ? firstSentence(error.message)
                    : error.message}
                </span>
              </span>
            )}
            <span className="hint" id="login-hint">
              Begins with <code>jt_</code>. The browser keeps a cookie instead of it, until you log out or the
              session ends.
            </span>
          </div>
          <button type="submit" className="btn primary" disabled={isBusy}>
            {isBusy ? "Logging in…" : "Log in"} <kbd>enter</kbd>
          </button>
        </form>
        {isAboutSomebody(why) && (
          <p className="t-12 ink-2">
            <WithCode text={why} />
          </p>
        )}
        <p className="t-12 ink-2">
          No key yet? Ask an admin for one. Where the store can be reached, this makes one:{" "}
          <code>jobtracker keys create --owner NAME --role viewer</code>
        </p>
        <dl className="login-roles t-12">
          <dt>viewer</dt>
          <dd>sees jobs, queues and workers</dd>
          <dt>operator</dt>
          <dd>also starts, cancels, retries and deletes jobs</dd>
          <dt>admin</dt>
          <dd>also makes keys and webhooks, and reads the audit</dd>
        </dl>
      </main>
    </dialog>
  );
}

/** Whether the API says more than that it does not know who the caller is, which it says in words for programs. */
function isAboutSomebody(why: string): boolean {
  return why !== "" && !why.includes("does not know who the caller is");
}

/** What is wrong with a key. What to do without one stands below. */
function firstSentence(text: string): string {
  return /^.*?[.?!](?=\s|$)/.exec(text)?.[0] ?? text;
}

/** A sentence of the API: what stands between backticks is code. */
function WithCode({ text }: { text: string }) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}
