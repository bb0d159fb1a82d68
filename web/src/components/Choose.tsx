import { Link } from "@tanstack/react-router";

/** One of a few values of a search parameter of this view's URL. The first is the one without the parameter. */
export function Choose({
  label,
  name,
  value,
  options,
}: {
  /** What is chosen, for screen readers. */
  label: string;
  name: string;
  value: string | undefined;
  options: readonly (readonly [value: string, text: string])[];
}) {
  const [usual] = options[0] ?? [];
  return (
    <div className="seg" role="group" aria-label={label}>
      {options.map(([each, text]) => (
        <Link
          key={each}
          to="."
          search={(old: Record<string, unknown>) => ({ ...old, [name]: each === usual ? undefined : each })}
          replace
          // Without it a link without the parameter is the current one, too.
          activeOptions={{ exact: true, explicitUndefined: true }}
          activeProps={{ "aria-current": undefined }}
          aria-current={each === (value ?? usual) ? "true" : undefined}
        >
          {text}
        </Link>
      ))}
    </div>
  );
}
