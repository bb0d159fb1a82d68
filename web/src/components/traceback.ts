/** A traceback of Python, taken apart: frames of libraries are folded, your own stand out. */

export interface Part {
  readonly kind: "text" | "ours" | "library";
  readonly text: string;
  /** How many frames; 0 for what is no frame. */
  readonly frames: number;
  /** Of folded frames: the packages that they are in, each once. */
  readonly packages: readonly string[];
}

interface Draft {
  kind: Part["kind"];
  lines: string[];
  frames: number;
  packages: Set<string>;
}

/** A frame as Python prints it; exception groups have bars before it. */
const FRAME = /^[ |+]*File "([^"\n]+)", line \d+/;
const HEAD = /^[ |+]*(Traceback \(most recent call last\):|Exception Group Traceback)/;
const CARRIED_ON = /^[ |]{4,}\S/;
const LIBRARY = /[\\/](?:site|dist)-packages[\\/]|[\\/]lib[\\/]python\d|[\\/]Python\d+[\\/]Lib[\\/]/i;

/** Its parts in order. Frames of libraries that stand side by side are one part. */
export function partsOf(traceback: string): Part[] {
  const parts: Draft[] = [];
  let inFrame = false;
  for (const line of traceback.trimEnd().split("\n")) {
    const file = FRAME.exec(line)?.[1];
    const last = parts.at(-1);
    if (file !== undefined) {
      const kind = isLibrary(file) ? "library" : "ours";
      const part: Draft = last?.kind === kind ? last : { kind, lines: [], frames: 0, packages: new Set() };
      if (part !== last) parts.push(part);
      part.lines.push(line);
      part.frames += 1;
      if (kind === "library") part.packages.add(packageOf(file));
      inFrame = true;
    } else if (inFrame && last !== undefined && CARRIED_ON.test(line) && !HEAD.test(line)) {
      last.lines.push(line);
    } else {
      inFrame = false;
      if (last?.kind === "text") last.lines.push(line);
      else parts.push({ kind: "text", lines: [line], frames: 0, packages: new Set() });
    }
  }
  return parts.map(({ kind, lines, frames, packages }) => ({
    kind,
    text: lines.join("\n"),
    frames,
    packages: [...packages],
  }));
}

function isLibrary(file: string): boolean {
  return file.startsWith("<") || LIBRARY.test(file);
}

function packageOf(file: string): string {
  if (file.startsWith("<")) return file.replace(/[<>]|frozen /g, "");
  const [, inside] = /(?:site|dist)-packages[\\/]([^\\/]+)/.exec(file) ?? [];
  return (inside ?? "Python").replace(/\.py$/, "");
}
