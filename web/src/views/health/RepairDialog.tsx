import type { Schemas } from "@/api/types";
import { useState } from "react";
import { Dialog } from "@/components/Dialog";
import { Icon } from "@/components/Icon";
import { Time } from "@/components/Time";
import { count, plural } from "@/format/format";
import { aboutFlaw, previewOf } from "./flaws";

type Group = Schemas["DifferenceGroup"];

/** From so many on, the number is typed. */
const MANY = 100;

const openOf = (groups: readonly Group[]) =>
  groups.reduce((sum, { count: all, repaired }) => sum + all - repaired, 0);

interface RepairDialogProps {
  differences: readonly Group[];
  /** When these were found. */
  endedAt: string | null | undefined;
  onRepair: () => void;
  onClose: () => void;
}

/** Asks before a repair: what happens to each kind of difference, and what is left as it is. */
export function RepairDialog({ differences, endedAt, onRepair, onClose }: RepairDialogProps) {
  const { mended, kept } = previewOf(differences);
  const total = openOf(mended);
  const [typed, setTyped] = useState("");
  const isSure = total <= MANY || typed.replaceAll(/[,\s]/g, "") === String(total);
  return (
    <Dialog
      title={`Repair ${plural(total, "difference")}?`}
      onClose={onClose}
      footer={
        <>
          <span className="push" />
          <button type="button" className="btn" onClick={onClose}>
            Leave all as it is
          </button>
          <button type="button" className="btn primary" disabled={total === 0 || !isSure} onClick={onRepair}>
            Repair {count(total)}
          </button>
        </>
      }
    >
      <section>
        {mended.map((group) => (
          <Line key={`${group.flaw} ${group.where}`} group={group} isMended />
        ))}
        {kept.map((group) => (
          <Line key={`${group.flaw} ${group.where}`} group={group} isMended={false} />
        ))}
      </section>
      <section className="t-12 ink-2">
        <p>
          Found at <Time at={endedAt} />. Jobs go on meanwhile: it examines again, and repairs what differs
          then. It writes indexes and counters, which follow from the records; it can't be taken back, and
          need not be. What it can't repair is shown afterwards.
        </p>
        {total > MANY && (
          <div className="field">
            <label htmlFor="repair-number">Type {count(total)} to go on</label>
            <input
              id="repair-number"
              className="input"
              inputMode="numeric"
              autoComplete="off"
              value={typed}
              onChange={(event) => {
                setTyped(event.target.value);
              }}
            />
          </div>
        )}
      </section>
    </Dialog>
  );
}

function Line({ group, isMended }: { group: Group; isMended: boolean }) {
  return (
    <div className="sum">
      <b>{count(group.count - group.repaired)}</b>
      <Icon name={isMended ? "check" : "alert"} />
      <div>
        <p className="m">
          {group.flaw.replaceAll("_", " ")} in <code>{group.where}</code>
        </p>
        <p className="t-12 ink-2">
          {aboutFlaw(group.flaw).repair}{" "}
          {group.examples[0] !== undefined && <>For example {group.examples[0]}.</>}
        </p>
      </div>
    </div>
  );
}
