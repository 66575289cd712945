"""The head of an answer, past what a server says on the way to it."""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPResponse
from typing import Any

BREAKS = dict.fromkeys(b"\x0b\x0c\x1c\x1d\x1e\x85", ord(" "))
"""What the parser of e-mail takes for the end of a line, too: 0x85 is half of an Å in UTF-8."""
SPACED = bytes(BREAKS.get(byte, byte) for byte in range(256))


class _Lines:
    """The lines of a head, each of which is one for every parser."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readline(self, most: int) -> bytes:
        return bytes(self._file.readline(most)).translate(SPACED)

    def close(self) -> None:
        self._file.close()


class Head(HTTPResponse):
    """An answer of http.client, which takes early hints and the like for the answer itself."""

    def begin(self) -> None:
        """Read the head. Raises HTTPException. Source of what comes before an answer: RFC 9110 section 15.2."""
        answer: Any = self  # that `begin` reads anew where there are no headers is not told to type checkers
        file, answer.fp = self.fp, _Lines(self.fp)
        try:
            super().begin()
            while HTTPStatus.SWITCHING_PROTOCOLS < self.status < HTTPStatus.OK:
                answer.headers = None
                super().begin()
        finally:
            answer.fp = None if answer.fp is None else file
