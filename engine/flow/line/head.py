"""The head of an answer, read without the parser of e-mail: that one takes as long as all the rest of an exchange."""

from __future__ import annotations

import re
from email.parser import Parser
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse, LineTooLong, UnknownProtocol
from typing import Any

MOST_BYTES = 65_536
"""Of one line, as http.client has it."""
MOST_LINES = 100
USUAL = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)\r?\n")
"""A header as it should be; what is anything else is left to the parser of e-mail. Source: RFC 9110 section 5.

That one ends a line at 0x85, too, which is half of an Å in UTF-8, and then knows nothing of the headers behind it.
"""
BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Head(HTTPResponse):
    """An answer of http.client, whose `begin` this is, but for how it reads headers."""

    _method: str

    def begin(self) -> None:
        """Read the head. Raises HTTPException."""
        base: Any = self  # some of what http.client's own `begin` uses is not told to type checkers
        if base.headers is not None:
            return
        version, self.status, reason = base._read_status()
        while self.status == HTTPStatus.CONTINUE:
            self._lines()
            version, self.status, reason = base._read_status()
        self.code, self.reason = self.status, reason.strip()
        if not version.startswith(("HTTP/1.", "HTTP/0.9")):
            raise UnknownProtocol(version)
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        self.headers = self.msg = message(self._lines())
        self.chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left = None
        self.will_close = base._check_close()
        self.length = None if self.chunked else _length(self.headers.get("content-length", ""))
        if self.status in BODILESS or self.status < HTTPStatus.OK or self._method == "HEAD":
            self.length = 0
        if not self.chunked and self.length is None:  # then only its end ends it
            self.will_close = True

    def _lines(self) -> list[bytes]:
        """The lines of the headers, with the empty one behind them."""
        found: list[bytes] = []
        while not found or found[-1] not in (b"\r\n", b"\n", b""):
            found.append(self.fp.readline(MOST_BYTES + 1))
            if len(found[-1]) > MOST_BYTES:
                raise LineTooLong("header line")
            if len(found) > MOST_LINES:
                raise HTTPException(f"got more than {MOST_LINES} headers")
        return found


def message(lines: list[bytes]) -> HTTPMessage:
    """The headers of these lines, the last of which is empty."""
    usual = [USUAL.fullmatch(line) for line in lines[:-1]]
    if not all(usual):
        return Parser(_class=HTTPMessage).parsestr(b"".join(lines).decode("iso-8859-1"))
    found = HTTPMessage()
    for one in usual:
        assert one
        found.set_raw(one[1].decode("ascii"), one[2].decode("iso-8859-1"))
    return found


def _length(text: str) -> int | None:
    """What Content-Length says; None where it says nothing that makes sense."""
    try:
        return number if (number := int(text)) >= 0 else None
    except ValueError:
        return None
