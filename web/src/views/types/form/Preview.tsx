import { useState } from "react";
import { CopyButton } from "@/components/CopyButton";
import { curlOf, type NewJob, pythonOf } from "./request";

/** The request as one would send it from a shell or from Python. */
export function Preview({ request, isWhole }: { request: NewJob; isWhole: boolean }) {
  const [isPython, setPython] = useState(false);
  const url = new URL(".", document.baseURI).href.replace(/\/$/, "");
  const text = isPython ? pythonOf(request, url) : curlOf(request, url);
  return (
    <details className="about">
      <summary>The same as curl, as Python</summary>
      <div className="row">
        <span className="seg" role="group" aria-label="Language">
          {["curl", "Python"].map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={isPython === (name === "Python")}
              onClick={() => {
                setPython(name === "Python");
              }}
            >
              {name}
            </button>
          ))}
        </span>
        <span className="push">
          <CopyButton text={text} />
        </span>
      </div>
      {isWhole ? (
        <pre className="json request" tabIndex={0}>
          {text}
        </pre>
      ) : (
        <p className="ink-3 t-12">Something in the payload can't be read yet.</p>
      )}
    </details>
  );
}
