"""Secrets as an answer may repeat them: found in it, however they are written, and masked."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self
from urllib.parse import quote, quote_plus

from engine.core import jsontext
from engine.core.values import Secret

SHORTEST_CREDENTIAL = 8
"""What is shorter stands in other words as well."""
MASK = b"***"
OWN_PLACE = rb'(?<=["=/])'
"""A number may be anybody's, but for one that stands as a text or in an address."""


@dataclass(frozen=True)
class Hidden:
    """One secret in all its spellings."""

    words: frozenset[bytes]
    """As it is, in JSON, in an address, and in Base64."""
    text: str = field(repr=False)

    @classmethod
    def of(cls, secret: Secret) -> Self | None:
        """None for a secret that is too short to be told from other words."""
        text = secret.reveal()
        if len(text) < SHORTEST_CREDENTIAL:
            return None
        written = jsontext.write(text)[1:-1], quote(text, safe="").encode(), quote_plus(text).encode()
        encoded = base64.b64encode(text.encode()).rstrip(b"=")
        words = frozenset({text.encode(), *written, written[0].replace(b"/", rb"\/"), encoded})
        return cls(words, text)

    @cached_property
    def escaped(self) -> re.Pattern[bytes]:
        """In JSON with any of its letters as `\\uXXXX`; for a long token it takes 30 ms to make, and few need it."""
        return re.compile((OWN_PLACE if self.text.isdigit() else b"") + b"".join(map(_letter, self.text)))

    def masked(self, text: bytes) -> bytes:
        """The text without it; the very same text where it is not in there."""
        for word in self.words:
            if word in text:
                text = re.sub(OWN_PLACE + word, MASK, text) if word.isdigit() else text.replace(word, MASK)
        return self.escaped.sub(MASK, text) if rb"\u" in text else text


def hidden(secrets: Iterable[Secret]) -> frozenset[Hidden]:
    """What is to be masked of these."""
    return frozenset(found for one in secrets if (found := Hidden.of(one)))


def masked(text: bytes, secrets: Iterable[Hidden]) -> bytes:
    """The text without any of them."""
    for one in secrets:
        text = one.masked(text)
    return text


def _letter(letter: str) -> bytes:
    """A pattern of all that JSON writes for a letter, also JSON in a text of JSON, with more strokes."""
    short = jsontext.write(letter)[1:-1]
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    long = "".join(rf"\\{{1,15}}u{units[at : at + 4]}" for at in range(0, len(units), 4))
    ways = [re.escape(short), rb"(?i:%s)" % long.encode(), *([rb"\\{1,15}/"] if letter == "/" else [])]
    return b"(?:" + b"|".join(ways) + b")"
