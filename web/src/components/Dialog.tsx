import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef } from "react";

interface DialogProps {
  title: string;
  /** For a dialog whose content is its own heading. */
  hideTitle?: boolean;
  className?: string;
  onClose: () => void;
  /** Keys that work anywhere in it. */
  onKeyDown?: (event: KeyboardEvent) => void;
  children: ReactNode;
  footer?: ReactNode;
}

/** A modal dialog: it takes the focus, keeps it, and gives it back. Escape, or a click beside it, closes it. */
export function Dialog({
  title,
  hideTitle = false,
  className = "",
  onClose,
  onKeyDown,
  children,
  footer,
}: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => {
      element?.close();
    };
  }, []);
  return (
    // The keyboard closes it by Escape; the click is for pointers only.
    <dialog
      ref={dialog}
      className={`dialog ${className}`}
      aria-labelledby={id}
      onKeyDown={onKeyDown}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
    >
      <header className={hideTitle ? "sr" : ""}>
        <h2 id={id}>{title}</h2>
      </header>
      {children}
      {footer !== undefined && <footer>{footer}</footer>}
    </dialog>
  );
}
