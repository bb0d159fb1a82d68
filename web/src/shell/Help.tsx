import { useAllCommands } from "@/commands/commands";
import { Dialog } from "@/components/Dialog";
import { Keys } from "./Keys";

/** All keys that work in this view. */
export function Help({ onClose }: { onClose: () => void }) {
  const commands = useAllCommands().filter((each) => each.key !== undefined);
  const isGoing = (key: string | undefined) => key?.startsWith("g ") ?? false;
  return (
    <Dialog
      title="Keys"
      onClose={onClose}
      footer={<span className="ink-3 t-12">None of them works while you type.</span>}
    >
      <section className="keys">
        {[commands.filter((each) => !isGoing(each.key)), commands.filter((each) => isGoing(each.key))].map(
          (group, index) => (
            <dl key={index}>
              {group.map(({ label, key }) => (
                <div key={`${key ?? ""} ${label}`}>
                  <dt>
                    <Keys of={key} />
                  </dt>
                  <dd>{label}</dd>
                </div>
              ))}
            </dl>
          ),
        )}
      </section>
    </Dialog>
  );
}
