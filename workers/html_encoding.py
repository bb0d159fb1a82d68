"""Decode HTML by the encoding that it declares, as the WHATWG's encoding standard reads such declarations."""

import codecs
import re

from workers.encoding import decode

_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_DECLARATION = re.compile(
    rb"<(?:meta[^>]{1,200}charset|\?xml[^>]{1,200}encoding)\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE
)
_WITHIN_BYTES = 4096

_LABELS = {"windows-31j": "cp932", "iso-8859-8-i": "iso8859-8"}
"""Names that Python does not know."""

# fmt: off
_READ_AS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932", "euc_kr": "cp949",
}
"""What a page means that declares one of these, whose writers used more characters than it has."""

_LEGACY = frozenset({
    "cp866", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-10",
    "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "cp874",
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "gb18030", "big5hkscs",
    "euc_jp", "iso2022_jp", "cp932", "cp949",
})
"""What browsers decode beside Unicode."""
# fmt: on


def decode_html(data: bytes) -> str:
    """Decode a page: by its byte order mark, else as it declares, else as other text is.

    One that declares ISO 8859-1, Latin-1 or ASCII is Windows-1252. One that is not what it declares, but is UTF-8, is
    that; what can't be decoded becomes U+FFFD.

    Raises:
        UnreadableError: The bytes are not text.
    """
    encoding = None if data.startswith(codecs.BOM_UTF8) else _declared(data[:_WITHIN_BYTES])
    if encoding is None:
        return decode(data)
    for each in (encoding, "utf-8"):
        try:
            return data.decode(each)
        except UnicodeDecodeError:
            continue
    return data.decode(encoding, errors="replace")


def _declared(head: bytes) -> str | None:
    """The legacy encoding that a page declares, as Python calls it; None where that is none that browsers know."""
    declaration = _DECLARATION.search(_COMMENT.sub(b"", head))
    if declaration is None:
        return None
    label = declaration[1].decode("ascii", errors="replace").lower()
    label = _LABELS.get(label, label).removeprefix("x-").replace("windows-", "cp")
    try:
        name = codecs.lookup(label).name
    except LookupError:
        return None
    name = _READ_AS.get(name, name)
    return name if name in _LEGACY else None
