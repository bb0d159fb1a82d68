"""Turn the bytes of a text file into text."""

import codecs
import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from workers.errors import UnreadableError


def decode(data: bytes) -> str:
    r"""Decode text: by its byte order mark, else as UTF-8, else as Windows-1252, the usual legacy of Western files.

    Text that is damaged UTF-8, of which more characters beyond ASCII can be decoded than can't, is read as such, with
    U+FFFD in the place of the others: all of them would be wrong in Windows-1252.

    A text file declares no encoding. ISO 8859-1 and ASCII need no case of their own: Windows-1252 has all that they
    have. Its five bytes without a meaning become U+FFFD. What HTML declares, `decode_html` looks at.

    Line ends become "\n", as Python's own open() makes them.

    Raises:
        UnreadableError: The bytes are not text.
    """
    text = _decode_bytes(data)
    if "\0" in text:
        raise UnreadableError("the file is not text: it holds NUL bytes")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode_bytes(data: bytes) -> str:
    marks = (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is how this one begins
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    )
    encoding = next((name for mark, name in marks if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise UnreadableError(f"the file is marked as {encoding} but is not") from error
        text = data.decode("utf-8", errors="replace")
        damaged = text.count("\ufffd")
        beyond_ascii = len(text) - len(text.encode("ascii", errors="ignore"))
        if beyond_ascii > 2 * damaged:
            return text
        return data.decode("cp1252", errors="replace")


def without_surrogates(text: str) -> str:
    """Put U+FFFD in the place of each half of a character: a PDF may have one, and JSON; no library takes it."""
    return _SURROGATE.sub("\ufffd", text)


_SURROGATE = re.compile("[\ud800-\udfff]")

Text: TypeAlias = Annotated[str, AfterValidator(without_surrogates)]
"""The field of a model that is text for libraries."""
