interface ChecksProps<Name extends string> {
  legend: string;
  /** The names that can be chosen. */
  all: readonly Name[];
  /** What each of them means. */
  about: Readonly<Record<Name, string>>;
  chosen: readonly Name[];
  onChange: (chosen: Name[]) => void;
}

/** Names to choose some of, each with what it means. */
export function Checks<Name extends string>({ legend, all, about, chosen, onChange }: ChecksProps<Name>) {
  return (
    <fieldset className="checks">
      <legend className="label">{legend}</legend>
      {all.map((name) => (
        <label className="row top" key={name}>
          <input
            type="checkbox"
            className="check"
            checked={chosen.includes(name)}
            onChange={({ target }) => {
              onChange(target.checked ? [...chosen, name] : chosen.filter((each) => each !== name));
            }}
          />
          <span>
            <code>{name}</code> <span className="ink-2 t-12">{about[name]}</span>
          </span>
        </label>
      ))}
    </fieldset>
  );
}
