"""Cutting a long text into pieces that can be read one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_CHUNK_CHARS = 20_000
"""About 3,500 words: the language model reads it in half a second and some tens of megabytes."""

_PREFERRED_CUTS = ("\n\n", "\n", ". ", " ")


@dataclass(frozen=True, slots=True)
class Chunk:
    """The piece of a text that begins at `start`."""

    text: str
    start: int


def chunks(text: str, longest: int = LONGEST_CHUNK_CHARS) -> Iterator[Chunk]:
    """Yield pieces of at most `longest` characters that together are the text.

    A cut is made where it does least harm: between paragraphs, else lines, sentences, words.
    """
    start = 0
    while len(text) - start > longest:
        # In the first half of a piece a cut would make it needlessly short.
        cuts = (text.rfind(mark, start + longest // 2, start + longest) + len(mark) for mark in _PREFERRED_CUTS)
        end = next((cut for cut in cuts if cut > start + longest // 2), start + longest)
        yield Chunk(text[start:end], start)
        start = end
    if start < len(text):
        yield Chunk(text[start:], start)
