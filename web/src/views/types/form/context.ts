import { createContext, useContext } from "react";
import type { Draft, Path } from "./draft";

/** What the fields of one form share. */
export interface FormState {
  /** The whole schema, for its references. */
  readonly root: unknown;
  /** Undefined: nothing is given. An item of a list stays then, without a value. */
  readonly change: (path: Path, value: Draft | undefined) => void;
  readonly remove: (path: Path) => void;
  /** What is wrong at a path, if it is to be shown by now. */
  readonly problemAt: (path: Path) => string | undefined;
  /** Somebody has left the field at a path: what is wrong with it may be told. */
  readonly leave: (path: Path) => void;
  /** The id of the element of a path, in this form. */
  readonly idOf: (path: Path) => string;
}

export const FormContext = createContext<FormState | null>(null);

export function useForm(): FormState {
  const form = useContext(FormContext);
  if (form === null) throw new Error("A field stands outside of its form.");
  return form;
}
