"""Unpack a DOCX file as a stream: the parts of its archive are parsed and counted while they inflate."""

import posixpath
from collections.abc import Iterator, Mapping
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from lxml import etree

from workers.errors import TooLargeError, UnreadableError
from workers.limits import document_max_unpacked_bytes

_CHUNK_BYTES = 64 * 1024
_MAX_PARTS = 20_000
_ENTRY_MARK = b"PK\x01\x02"
"""Begins each entry of an archive's directory, which is read as a whole and takes ten times its size in memory."""


class XmlTarget:
    """Is told what an XML part consists of; by default it takes no notice."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins; names are "{namespace}name"."""

    def end(self, tag: str) -> None:
        """An element ends."""

    def data(self, text: str) -> None:
        """A piece of text, which need not be all of it."""

    def close(self) -> None:
        """The part ends."""

    def doctype(self, *_: object) -> None:
        """Refuse definitions of entities: the format has none (ECMA-376 part 2, 8.2), and they can be bombs."""
        raise UnreadableError("the DOCX has a document type definition, which the format does not allow")


class Package:
    """The parts of a DOCX file."""

    def __init__(self, data: bytes) -> None:
        """Open the archive.

        Raises:
            TooLargeError: It has an absurd number of parts.
            BadZipFile: It is not an archive; a damaged one raises other errors too.
        """
        if data.count(_ENTRY_MARK) > _MAX_PARTS:
            raise TooLargeError(f"the DOCX has more than {_MAX_PARTS:,} parts")
        self._archive = ZipFile(BytesIO(data))
        self._limit_bytes = document_max_unpacked_bytes()
        self._unpacked_bytes = 0

    def __contains__(self, part: str) -> bool:
        return part in self._archive.NameToInfo

    def related(self, part: str, kind: str) -> str | None:
        """Give the part that a part (or the package: "") names as its "officeDocument", "styles" and so on."""
        folder, name = posixpath.split(part)
        relations = posixpath.join(folder, "_rels", f"{name}.rels")
        if relations not in self:
            return None
        target = _Relation(kind)
        for _ in self.parse(relations, target):
            pass
        if target.found is None:
            return None
        return posixpath.normpath(posixpath.join("/", folder, target.found)).lstrip("/")

    def parse(self, part: str, target: XmlTarget) -> Iterator[None]:
        """Parse a part piece by piece; after each one the caller may take what the target has made of it.

        Raises:
            TooLargeError: The parts together unpack to more than DOCUMENT_MAX_UNPACKED_BYTES.
            KeyError: There is no such part.
        """
        entry = self._archive.getinfo(part)
        if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # zipfile inflates others without a limit
            raise UnreadableError("the DOCX is packed in a way that the format does not allow")
        # not huge_tree: libxml2's own limits hold, e.g. of the depth and of the length of a name or value
        parser = etree.XMLParser(target=target, resolve_entities=False, no_network=True, huge_tree=False)
        with self._archive.open(entry) as file:
            while chunk := file.read(_CHUNK_BYTES):
                # What the archive says of its sizes may be forged.
                self._unpacked_bytes += len(chunk)
                if self._unpacked_bytes > self._limit_bytes:
                    raise TooLargeError(
                        f"the DOCX unpacks to over {self._limit_bytes:,} bytes, as DOCUMENT_MAX_UNPACKED_BYTES allows"
                    )
                parser.feed(chunk)
                yield
        parser.close()
        yield


class _Relation(XmlTarget):
    """Finds the first relationship of a kind."""

    def __init__(self, kind: str) -> None:
        self._suffix = f"/{kind}"
        self.found: str | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        is_it = self.found is None and tag.endswith("}Relationship") and attributes.get("TargetMode") != "External"
        if is_it and attributes.get("Type", "").endswith(self._suffix):
            self.found = attributes.get("Target")
