import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Icon } from "@/components/Icon";
import { Menu } from "@/components/Menu";
import { removeFilter, saveFilter, useSavedFilters } from "@/filter/saved";
import { type JobsSearch, jobsSearch } from "./route";

/** So many stand in the bar; all are in the menu, the search box and the palette. */
const IN_BAR = 3;

/** Saved filters as links. */
export function SavedLinks() {
  return useSavedFilters()
    .slice(0, IN_BAR)
    .map(({ name, search }) => (
      <Link key={name} to="/jobs" search={jobsSearch(search)} className="btn ghost hide-s saved-link">
        <Icon name="bookmark" size={12} />
        <span className="cut">{name}</span>
      </Link>
    ));
}

/** Give the present filter a name, and take names away. */
export function SaveFilter({ search }: { search: JobsSearch }) {
  const saved = useSavedFilters();
  return (
    <Menu
      label="Saved filters"
      buttonClass="btn ghost"
      button={
        <>
          <Icon name="bookmark" />
          Save filter
        </>
      }
    >
      <NameForm search={search} />
      {saved.length > 0 && <h3>Saved in this browser</h3>}
      {saved.map(({ name, search: each }) => (
        <div className="row saved" key={name}>
          <Link to="/jobs" search={jobsSearch(each)} className="opt grow">
            <span className="cut">{name}</span>
            <span className="hint mono t-11 cut">{each.q}</span>
          </Link>
          <button
            type="button"
            className="btn ghost small"
            aria-label={`Remove ${name}`}
            onClick={() => {
              removeFilter(name);
            }}
          >
            <Icon name="cross" size={12} />
          </button>
        </div>
      ))}
    </Menu>
  );
}

function NameForm({ search }: { search: JobsSearch }) {
  const [name, setName] = useState("");
  const isFree = name.trim() !== "";
  return (
    <form
      className="row save-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isFree) return;
        saveFilter({ name: name.trim(), search });
        setName("");
      }}
    >
      <input
        className="input grow"
        aria-label="Name of this filter"
        placeholder="Name of this filter"
        maxLength={60}
        value={name}
        onChange={(event) => {
          setName(event.target.value);
        }}
      />
      <button type="submit" className="btn primary" disabled={!isFree}>
        Save
      </button>
    </form>
  );
}
