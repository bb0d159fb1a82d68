"""Read HTML as its reader sees it: visible text, in blocks, without the markup."""

import codecs
import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from workers.content import Block, Content, content_of
from workers.encoding import decode

# fmt: off
_INLINE = frozenset({
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins",
    "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "td", "th", "time",
    "tt", "u", "var", "wbr",
})
# fmt: on
_UNSEEN = ["script", "style", "noscript", "template", "svg", "iframe", "select", "head"]
_CHARSET = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_LEGACY_CODECS = ("iso8859", "cp", "koi8", "shift_jis", "euc_", "gb", "big5", "mac-")


def read_html(data: bytes) -> Content:
    """Read a page: its headings, and its blocks with white space collapsed; the cells of a table row share one."""
    tree = LexborHTMLParser(_decode_html(data))
    tree.strip_tags(_UNSEEN)
    blocks: list[Block] = []
    pieces: list[str] = []

    def end_block(level: int | None = None) -> None:
        lines = (" ".join(line.split()) for line in "".join(pieces).split("\n"))
        blocks.append(Block("\n".join(lines).strip(), level))
        pieces.clear()

    # A stack of its own rather than recursion: a page may be nested thousands deep.
    stack: list[tuple[LexborNode, bool]] = [(tree.body, False)] if tree.body else []
    while stack:
        node, is_end = stack.pop()
        tag = node.tag or ""
        if tag == "-text":
            pieces.append(re.sub(r"\s+", " ", node.text(deep=False)))
        elif tag == "br":
            pieces.append("\n")
        elif is_end:
            end_block(int(tag[1]) if re.fullmatch("h[1-6]", tag) else None)
        else:
            if tag in ("td", "th") and pieces:
                pieces.append(" | ")
            elif tag not in _INLINE:
                end_block()
                stack.append((node, True))
            stack += [(child, False) for child in reversed(list(node.iter(include_text=True)))]
    end_block()
    return content_of(blocks)


def _decode_html(data: bytes) -> str:
    declared = _CHARSET.search(data[:4096])
    if declared and not data.startswith(codecs.BOM_UTF8):
        try:
            encoding = codecs.lookup(declared[1].decode("ascii", errors="replace")).name
            if encoding.startswith(_LEGACY_CODECS):
                return data.decode(encoding)
        except (LookupError, UnicodeError):  # a page may be wrong about itself
            pass
    return decode(data)
