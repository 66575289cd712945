"""How an answer that is no JSON becomes JSON."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Literal

from engine.core.kinds.part import Part


class Undecodable(Exception):
    """Bytes are not what a decoder says; the message goes on after their name: `has 3 fields in row 7`."""

    fix = "correct decode, or the path, where it answers with something else; what was cut off, try again later"


class TooLarge(Undecodable):
    """What the bytes hold is larger than may be read; another try would bring the same."""


class Decoder(Part):
    """One link of a chain such as `gzip+csv`: bytes in, bytes out; the last gives JSON."""

    kind: ClassVar[str] = "decode"
    gives: ClassVar[Literal["json", "bytes", "files"]] = "json"
    """What comes out: `json`, so that nothing may stand behind it, `bytes`, or the bytes of several `files`."""
    in_text: ClassVar[bool] = True
    """Whether a text can hold it, as a field of a record does."""

    @abstractmethod
    def decode(self, data: bytes, most_bytes: int, charset: str | None = None) -> Iterable[bytes]:
        """What the bytes hold: one thing, or each of several files. `charset` is what the answer says of them.

        Raises Undecodable. What grows beyond so many bytes it need not finish: the chain refuses it.
        """

    @abstractmethod
    def encode(self, data: bytes) -> bytes:
        """The vendor's side: bytes that decode to these."""
