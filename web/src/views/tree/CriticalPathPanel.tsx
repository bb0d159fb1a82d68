import { Link } from "@tanstack/react-router";
import { Icon } from "@/components/Icon";
import { duration } from "@/format/format";
import type { CriticalPath, Segment } from "./criticalPath";
import { isOpen, type Tree } from "./outline";

/** So many pieces have a line of text each; of more, only the longest ones. */
const MOST_PIECES = 8;

/** What the end of a tree depended or depends on, taken apart into waiting and running. */
export function CriticalPathPanel({
  tree,
  path,
  onGo,
}: {
  tree: Tree;
  path: CriticalPath;
  onGo: (row: number) => void;
}) {
  const { rows, segments } = path;
  const first = segments[0];
  const last = segments.at(-1);
  const leaf = rows.at(-1) ?? 0;
  if (first === undefined || last === undefined) return null;
  const whole = last.to - first.from;
  const waited = segments.reduce((sum, { kind, from, to }) => sum + (kind === "waits" ? to - from : 0), 0);
  const goesOn = isOpen(tree, 0);
  const longest = [...segments].sort((a, b) => b.to - b.from - (a.to - a.from)).slice(0, MOST_PIECES);
  const shown = segments.filter((segment) => longest.includes(segment));
  return (
    <section className="panel" aria-label="Critical path">
      <div className="cp-head">
        <span className="row m">
          <Icon name="path" />
          Critical path
        </span>
        <span className="ink-2">
          {duration(whole / 1000)}
          {goesOn && " so far"}, {duration(waited / 1000)} of it waiting:{" "}
          <Link to="/jobs/$jobId" params={{ jobId: tree.columns.id[leaf] ?? "" }} className="m ink">
            {tree.columns.name[leaf]}
          </Link>{" "}
          {goesOn ? "is what everything waits for." : "is what everything waited for."}
        </span>
      </div>
      <svg className="cp-strip" width="100%" height="8" aria-hidden="true">
        {segments.map((segment) => (
          <rect
            key={`${segment.row} ${segment.kind}`}
            x={percent((segment.from - first.from) / whole)}
            width={percent((segment.to - segment.from) / whole)}
            height="8"
            className={fillOf(tree, segment)}
          />
        ))}
      </svg>
      <ol className="cp">
        {shown.map((segment) => (
          <li
            key={`${segment.row} ${segment.kind}`}
            style={{ flexGrow: Math.max(0.02, (segment.to - segment.from) / whole) }}
          >
            <button
              type="button"
              onClick={() => {
                onGo(segment.row);
              }}
            >
              <span className="cut">
                <svg className="k" aria-hidden="true">
                  <rect x=".5" y=".5" width="11" height="7" className={fillOf(tree, segment)} />
                </svg>{" "}
                {tree.columns.name[segment.row]} <span className="ink-3">{whatOf(tree, segment)}</span>
              </span>
              <b className="m">{duration((segment.to - segment.from) / 1000)}</b>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** No piece is wider than it lasted; one that is too short to be seen stands in the list below. */
function percent(share: number): string {
  return `${(share * 100).toFixed(3)}%`;
}

function fillOf(tree: Tree, { row, kind }: Segment): string {
  return kind === "waits" ? "f-wait" : `f-${tree.status[row] ?? "pending"}`;
}

function whatOf(tree: Tree, { row, kind, isOpen: goesOn }: Segment): string {
  const { queue, worker } = tree.columns;
  if (kind === "waits") return `${goesOn ? "waits" : "waited"}${queue[row] ? ` in ${queue[row]}` : ""}`;
  return `${goesOn ? "runs" : "ran"}${worker[row] ? ` on ${worker[row]}` : ""}`;
}
