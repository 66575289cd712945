"""Charsets: which one a text is written in, and where it is not."""

from __future__ import annotations

import codecs
import re

from engine.core.errors import Mistake
from engine.core.kinds import Undecodable
from engine.core.values import Spelled

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
NAMED = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
FIX = "write utf-8, latin-1 or windows-1252"


class Charset(Spelled):
    """The name of a charset."""

    pattern = r"[A-Za-z0-9._:-]+"
    says = f"a charset; {FIX}"

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake for a charset that nobody knows."""
        super().check(text)
        if not _is_known(text):
            raise Mistake("value", f'no charset is called "{text}"', FIX)


def named(content_type: str | None) -> str | None:
    """The charset that a Content-Type says."""
    found = NAMED.search(content_type or "")
    return found[1] if found else None


def text(data: bytes, *charsets: str | None) -> str:
    """The text in the charset of its byte order mark, else in the first that is named, else in UTF-8.

    Raises Undecodable, which names the place of a byte that is none of that charset.
    """
    for mark, name in MARKS:
        if data.startswith(mark):
            return _text(data[len(mark) :], name)
    name = next((one for one in charsets if one), "utf-8")
    if not _is_known(name):
        raise Undecodable(f'is declared as "{name}", a charset that nobody knows; set charset on the page')
    return _text(data, name)


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02x} at {error.start:,}"
        raise Undecodable(f"has a byte in line {line:,} ({byte}) that is no {name}") from None
    except UnicodeError:
        raise Undecodable(f"is no {name}") from None


def _is_known(name: str) -> bool:
    try:
        b"a".decode(name)
    except LookupError:  # also what is no charset, such as base64
        return False
    except UnicodeError:
        pass
    return True
