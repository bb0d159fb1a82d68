import { type ReactNode, useId } from "react";

interface PanelProps {
  title: ReactNode;
  /** A figure beside the title: what it counts and since when. */
  sub?: ReactNode;
  actions?: ReactNode;
  /** What has to be known about the numbers. */
  foot?: ReactNode;
  children: ReactNode;
}

/** One subject: a head with title, figure and actions, its content, and a foot. */
export function Panel({ title, sub, actions, foot, children }: PanelProps) {
  const id = useId();
  return (
    <section className="panel" aria-labelledby={id}>
      <div className="ph">
        <h2 id={id}>{title}</h2>
        {sub !== undefined && <span className="sub">{sub}</span>}
        {actions !== undefined && <span className="push row">{actions}</span>}
      </div>
      {children}
      {foot !== undefined && <div className="pf">{foot}</div>}
    </section>
  );
}

/** Facts by name. A fact that is not there is left out. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className="kv pb">
      {facts.map(([name, value]) =>
        value === null || value === undefined || value === "" ? null : (
          <div key={name} className="contents">
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
