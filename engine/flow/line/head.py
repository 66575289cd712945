"""An answer as it comes: its head, past what a server says on the way to it, and its body piece by piece."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, IncompleteRead, LineTooLong, UnknownProtocol
from typing import Any, BinaryIO

MOST_BYTES = 65_536
"""So long may a line be."""
MOST_LINES = 100
READ_BYTES = 262_144
MOST_DIGITS = 19
"""So long may a length be: Python reads no number of some thousand digits."""
BLANK = " \t\r\n"
"""What surrounds a text; others, such as U+00A0, may be half a letter in UTF-8."""
SIZE = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*)?\r?\n")
"""How a chunk begins; one without its end may be the beginning of another size."""
EMPTY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Head(HTTPResponse):
    """An answer of http.client, which takes early hints and the like for the answer itself.

    It also reads headers with a parser of e-mail, which takes longer than all else that an exchange does, and takes
    half an Å in UTF-8 for the end of a line. What urllib3 wraps around each answer takes a fifth of an exchange.
    """

    headers: Any
    """By name in lower case; what stands there twice is joined. Source: RFC 9110 section 5.3."""
    version_string, length_remaining = "HTTP", None
    """Said in the log of urllib3."""
    fp: Any
    _pool: Any = None
    _connection: Any = None
    """Who lent which connection, as urllib3 notes it."""

    def begin(self) -> None:
        """Read the head. Raises HTTPException. Source of what comes before an answer: RFC 9110 section 15.2."""
        answer: Any = self  # what http.client keeps of an answer is not told to type checkers
        version, status, reason = answer._read_status()
        while status < HTTPStatus.OK and status != HTTPStatus.SWITCHING_PROTOCOLS:
            list(_lines(answer.fp))
            version, status, reason = answer._read_status()
        if not version.startswith(("HTTP/1.", "HTTP/0.9")):
            raise UnknownProtocol(version)
        answer.code, answer.status, answer.reason = status, status, reason.strip(BLANK)
        answer.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        answer.headers = answer.msg = headers = _headers(answer.fp)
        answer.chunked = headers.get("transfer-encoding", "").partition(",")[0].strip(BLANK).lower() == "chunked"
        answer.chunk_left = None
        answer.length = None if answer.chunked else _length(headers.get("content-length", ""))
        if status in EMPTY or status < HTTPStatus.OK or answer._method == "HEAD":
            answer.length = 0
        answer.will_close = answer._check_close() or (not answer.chunked and answer.length is None)

    def pieces(self, heed: Callable[[], None]) -> Iterator[bytes]:
        """The body as it comes; behind it the connection is free. Raises HTTPException where it is cut off."""
        while self.length != 0 and (part := self.read1(READ_BYTES)):
            heed()
            yield part
        if self.length:
            raise IncompleteRead(b"", self.length)
        self.close()
        self._pool._put_conn(self._connection)

    def _read_next_chunk_size(self) -> int:
        """As http.client does, which takes the zeros of a size that is cut off for the last chunk."""
        line = self.fp.readline(MOST_BYTES)
        if found := SIZE.fullmatch(line):
            return int(found[1], 16)
        raise HTTPException("got a chunk without a size") if line.endswith(b"\n") else IncompleteRead(b"")

    def give_up(self) -> None:
        """Close it, and the connection: what is left of the body stands there."""
        self.close()
        self._connection.close()


def _length(said: str) -> int | None:
    lengths = {one.strip(BLANK) for one in said.split(",")}
    length = lengths.pop()
    if lengths:
        raise HTTPException("got more than one Content-Length")
    if len(length) > MOST_DIGITS and length.isdecimal():
        raise HTTPException(f"got a Content-Length of more than {MOST_DIGITS} digits")
    return int(length) if length.isdecimal() else None


def _headers(file: BinaryIO) -> dict[str, str]:
    """The headers, each of one line; what is no header is passed over. Source: RFC 9112 section 5."""
    pairs = [["", ""]]
    for line in _lines(file):
        if line[:1] in " \t":  # goes on with the one before
            pairs[-1][1] += f" {line.strip(BLANK)}"
            continue
        name, colon, text = line.partition(":")
        pairs.append([name.strip(BLANK).lower() if colon else "", text.strip(BLANK)])
    found: dict[str, str] = {}
    for name, text in pairs:
        if not name:
            continue
        if not text.isascii():  # they come as Latin-1, and most who send more than ASCII mean UTF-8
            with suppress(UnicodeError):
                text = text.encode("latin-1").decode()
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _lines(file: BinaryIO) -> Iterator[str]:
    """The lines up to the empty one. Raises HTTPException where there are too many, or none is empty."""
    for _ in range(MOST_LINES):
        line = file.readline(MOST_BYTES + 1)
        if not line:
            raise IncompleteRead(b"")
        if len(line) > MOST_BYTES:
            raise LineTooLong("header line")
        if line in (b"\r\n", b"\n"):
            return
        yield line.decode("latin-1")
    raise HTTPException(f"got more than {MOST_LINES} headers")
