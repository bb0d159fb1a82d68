import { type ReactNode, useEffect, useRef } from "react";
import { CopyButton } from "./CopyButton";
import { Icon } from "./Icon";
import "./secret.css";

interface SecretProps {
  /** Whose it is. */
  title: string;
  secret: string;
  onKept: () => void;
  /** What else has to be known about it. */
  children?: ReactNode;
}

/** A secret that is shown once. It stands in the view, not in a dialog, so that no Escape takes it away. */
export function Secret({ title, secret, onKept, children }: SecretProps) {
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    section.current?.focus();
    section.current?.scrollIntoView({ block: "nearest" });
  }, [secret]);
  return (
    <section ref={section} className="panel secret" aria-label={title} tabIndex={-1}>
      <div className="ph">
        <Icon name="key" />
        <h2>{title}</h2>
      </div>
      <div className="pb col">
        <p>It is shown only now: copy it to where it is used, and keep it like a password.</p>
        <div className="row wrap">
          <code className="input">{secret}</code>
          <CopyButton text={secret} label="Copy the secret" />
        </div>
        {children}
        <div>
          <button type="button" className="btn" onClick={onKept}>
            I have kept it
          </button>
        </div>
      </div>
    </section>
  );
}
