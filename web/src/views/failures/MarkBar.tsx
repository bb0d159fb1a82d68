import type { FailureAction, FailureGroup, FailureState } from "@/api/types";
import { useCommands } from "@/commands/commands";
import { Icon } from "@/components/Icon";
import { count, plural } from "@/format/format";
import { useWritesOff } from "@/live/connection";
import { ACTIONS, commonActions, labelOf } from "./groups";

interface MarkBarProps {
  /** The groups that are selected. */
  groups: readonly FailureGroup[];
  /** What is being said of them. */
  doing: FailureAction | null;
  onMark: (action: FailureAction) => void;
  onClear: () => void;
}

/** What is selected, and what can be said of all of it. */
export function MarkBar({ groups, doing, onMark, onClear }: MarkBarProps) {
  const off = useWritesOff();
  const actions = commonActions(groups.map(({ state }) => state));
  const canMark = off === null && doing === null;
  const labelFor = (action: FailureAction) => {
    const [label, other] = [...new Set(groups.map(({ state }) => labelOf(action, state)))];
    return other === undefined && label !== undefined ? label : ACTIONS[action].label;
  };
  const what = plural(groups.length, "selected group");
  useCommands([
    ...(canMark
      ? actions.map((action) => ({
          label: `${labelFor(action)}: ${what}`,
          key: ACTIONS[action].key,
          run: () => {
            onMark(action);
          },
        }))
      : []),
    { label: "Select nothing", key: "Escape", run: onClear },
  ]);
  return (
    <div className="bulk" role="region" aria-label="Selection">
      <b>{count(groups.length)} selected</b>
      <span className="ink-3 t-12 hide-s">{statesOf(groups.map(({ state }) => state))}</span>
      {actions.map((action) => (
        <button
          key={action}
          type="button"
          className="btn"
          disabled={!canMark}
          title={off ?? undefined}
          onClick={() => {
            onMark(action);
          }}
        >
          {doing === action ? ACTIONS[action].doing : labelFor(action)} <kbd>{ACTIONS[action].key}</kbd>
        </button>
      ))}
      <button type="button" className="btn ghost" onClick={onClear} aria-label="Select nothing">
        <Icon name="cross" />
      </button>
    </div>
  );
}

/** How many are in each state. */
function statesOf(states: readonly FailureState[]): string {
  return [...new Set(states)]
    .map((state) => `${count(states.filter((each) => each === state).length)} ${state}`)
    .join(", ");
}
