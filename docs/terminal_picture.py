"""Draws what commands print as a picture of a terminal: python docs/terminal_picture.py FILE.svg COMMAND."""

import io
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH = 100

# rich's own frame without its web font: the picture loads nothing.
FRAME = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Run the commands, and write the picture."""
    path, commands = Path(sys.argv[1]), sys.argv[2:]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    for command in commands:
        shown = Text("$ ", "bold green").append(command, "bold white")
        printed = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=True)  # noqa: S602 (typed as a reader would, in a shell)
        console.print(shown, Text.from_ansi(printed.stdout), sep="\n")
    path.write_text(console.export_svg(title="", theme=MONOKAI, code_format=FRAME, unique_id="terminal"))


if __name__ == "__main__":
    main()
