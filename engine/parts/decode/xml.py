"""XML, read without anything that it could fetch or unfold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from pydantic import Field

from engine.core import jsontext
from engine.core.charset import Charset, text
from engine.core.errors import Json, Mistake
from engine.core.kinds import Decoder, Undecodable
from engine.core.values import Text, source_text

DEEPEST = 200
PROLOG = re.compile(rb"\s*<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._:-]+)")
NO_LETTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
RETURN = {"\r": "&#13;"}


class Xml(Decoder):
    r"""XML as JSON: `<list n="1"><id>7</id><id>8</id></list>` is `{"list": {"@n": "1", "id": ["7", "8"]}}`.

    The root is the one field of the answer. An element with neither attributes nor others inside is its text, as it
    stands, or null when it is empty; any other is an object: `@name` an attribute, `name` an element inside, a list
    where there are several of that name, and `#text` its own text where that is more than blanks. All values stay text.
    Names keep the prefix of their namespace as it is written, so that `title` and `media:title` stay two fields
    (in JMESPath `"media:title"`); the `xmlns` attributes themselves, comments and instructions are left out.

    Misbehaving: A document with a DTD is refused, and with it all entities of its own and whatever it would load from
    elsewhere, and so is one that is nested more than 200 deep, cut off or malformed: it is asked for again and then
    missing.

    Source: https://www.w3.org/TR/xml; for what names the charset RFC 7303 section 3.

    Example:
        endpoints:
          orders: { get: /orders.xml, decode: { xml: { lists: [order, item] } }, records: orders.order }
    """

    lists: list[Text] = Field(
        [], description="The elements that are a list also where there is one; where there is none, there is no field."
    )
    charset: Charset | None = Field(
        None, description="The charset; else the one that Content-Type or the document says, and UTF-8 where none does."
    )

    def decode(self, data: bytes, most_bytes: int, charset: str | None = None) -> Iterable[bytes]:
        """The document as an object with one field."""
        said = PROLOG.match(data)
        document = text(data, self.charset, charset, said and said[1].decode())
        tree = _Tree(frozenset(self.lists))
        parser = expat.ParserCreate()
        parser.buffer_text = parser.ordered_attributes = True
        parser.StartElementHandler, parser.EndElementHandler = tree.start, tree.end
        parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = tree.letters, tree.doctype
        try:
            parser.Parse(document, True)  # a text: the parser looks for no charset of its own
        except expat.ExpatError as error:
            raise Undecodable(f"is no XML, or not whole: {error}") from None
        return [jsontext.write(tree.root)]

    def encode(self, data: bytes) -> bytes:
        """The document of an object with one field."""
        value = jsontext.read(data)
        if not isinstance(value, dict) or len(value) != 1:
            raise Mistake("decode", "an XML document has one root", "write its name into records: orders.order")
        [(name, root)] = value.items()
        return "".join(_written(name, root)).encode(self.charset or "utf-8", "xmlcharrefreplace")


@dataclass
class _Tree:
    """The elements that are open, the innermost last, and what is known of each."""

    lists: frozenset[str]
    root: dict[str, Json] = field(default_factory=dict)
    open: list[tuple[dict[str, Json], list[str]]] = field(default_factory=list)
    """Fields, and pieces of text."""

    def doctype(self, *declared: Any) -> None:
        raise Undecodable("has a DTD, which is not read: it may unfold to any size, and name files of others")

    def start(self, name: str, attributes: Any) -> None:
        if len(self.open) == DEEPEST:
            raise Undecodable(f"is nested more than {DEEPEST} deep")
        pairs = zip(attributes[::2], attributes[1::2], strict=True)
        own = {f"@{key}": value for key, value in pairs if key != "xmlns" and not key.startswith("xmlns:")}
        self.open.append((own, []))

    def letters(self, found: str) -> None:
        self.open[-1][1].append(found)

    def end(self, name: str) -> None:
        fields, pieces = self.open.pop()
        letters = "".join(pieces)
        if fields and letters.strip():
            fields["#text"] = letters
        value = fields or letters or None
        around = self.open[-1][0] if self.open else self.root
        if name not in around:
            around[name] = [value] if name in self.lists and self.open else value
        elif isinstance(around[name], list):
            around[name].append(value)
        else:
            around[name] = [around[name], value]


def _written(name: str, value: Json) -> Iterator[str]:
    """The element, or the elements, of a field."""
    if isinstance(value, list):
        for one in value:
            yield from _written(name, one)
        return
    fields = value if isinstance(value, dict) else {"#text": value}
    attributes = (f" {key[1:]}={quoteattr(_shown(one), RETURN)}" for key, one in fields.items() if key[0] == "@")
    yield f"<{name}{''.join(attributes)}>{escape(_shown(fields.get('#text')), RETURN)}"
    for key, one in fields.items():
        if key[0] not in "@#":
            yield from _written(key, one)
    yield f"</{name}>"


def _shown(value: Json) -> str:
    """A value as text, without the letters that XML does not know."""
    return NO_LETTER.sub("\ufffd", "" if value is None else str(source_text(value)))
