import { type ReactNode, useId, useLayoutEffect, useRef, useState } from "react";

interface MenuProps {
  /** What the button shows; its words are the button's name. */
  button: ReactNode;
  buttonClass?: string;
  label: string;
  children: ReactNode;
}

const GAP_PX = 4;

/** A button that opens a popover below it, for choices that need no dialog. Escape, or a click elsewhere, closes it. */
export function Menu({ button, buttonClass = "btn ghost", label, children }: MenuProps) {
  const id = useId();
  const opener = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const [isOpen, setOpen] = useState(false);

  function place(): void {
    if (!opener.current || !menu.current) return;
    const below = opener.current.getBoundingClientRect();
    const { style, offsetWidth, offsetHeight } = menu.current;
    const fitsBelow = below.bottom + GAP_PX + offsetHeight <= window.innerHeight;
    style.top = `${fitsBelow ? below.bottom + GAP_PX : Math.max(GAP_PX, below.top - GAP_PX - offsetHeight)}px`;
    style.left = `${Math.max(GAP_PX, Math.min(below.left, window.innerWidth - offsetWidth - GAP_PX))}px`;
  }

  // Not before its lines are there: how high it is decides whether it fits below.
  useLayoutEffect(() => {
    if (isOpen) place();
  }, [isOpen]);

  return (
    <>
      <button ref={opener} type="button" className={buttonClass} popoverTarget={id} aria-expanded={isOpen}>
        {button}
      </button>
      <div
        ref={menu}
        id={id}
        popover="auto"
        className="menu"
        role="group"
        aria-label={label}
        onToggle={(event) => {
          setOpen(event.newState === "open");
        }}
      >
        {isOpen && children}
      </div>
    </>
  );
}

interface ChoiceProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  children: ReactNode;
}

/** One line of a menu that is on or off. */
export function Choice({ checked, onChange, children }: ChoiceProps) {
  return (
    <label className="opt">
      <input
        type="checkbox"
        className="check"
        checked={checked}
        onChange={(event) => {
          onChange(event.target.checked);
        }}
      />
      {children}
    </label>
  );
}
