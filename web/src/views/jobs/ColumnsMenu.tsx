import { Icon } from "@/components/Icon";
import { Menu } from "@/components/Menu";
import { ALWAYS, COLUMNS, columnsParam, moved } from "./columns";

interface ColumnsMenuProps {
  ids: readonly string[];
  onChange: (columns: string | undefined) => void;
}

/** Which columns there are, and in which order. */
export function ColumnsMenu({ ids, onChange }: ColumnsMenuProps) {
  const shown = ids.flatMap((id) => COLUMNS.find((each) => each.id === id) ?? []);
  const hidden = COLUMNS.filter(({ id }) => !ids.includes(id));
  return (
    <Menu
      label="Columns"
      buttonClass="btn ghost hide-s"
      button={
        <>
          <Icon name="columns" />
          Columns
        </>
      }
    >
      {[...shown, ...hidden].map(({ id, title }) => (
        <div className="row column-choice" key={id}>
          <label className="opt grow">
            <input
              type="checkbox"
              className="check"
              checked={ids.includes(id)}
              disabled={ALWAYS.includes(id)}
              onChange={(event) => {
                onChange(
                  columnsParam(event.target.checked ? [...ids, id] : ids.filter((each) => each !== id)),
                );
              }}
            />
            {title}
          </label>
          {ids.includes(id) && (
            <>
              <button
                type="button"
                className="btn ghost small"
                aria-label={`Move ${title} to the left`}
                disabled={ids[0] === id}
                onClick={() => {
                  onChange(columnsParam(moved(ids, id, -1)));
                }}
              >
                ←
              </button>
              <button
                type="button"
                className="btn ghost small"
                aria-label={`Move ${title} to the right`}
                disabled={ids.at(-1) === id}
                onClick={() => {
                  onChange(columnsParam(moved(ids, id, 1)));
                }}
              >
                →
              </button>
            </>
          )}
        </div>
      ))}
      <button
        type="button"
        className="opt"
        onClick={() => {
          onChange(undefined);
        }}
      >
        The usual columns
      </button>
    </Menu>
  );
}
