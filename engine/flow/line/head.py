"""The head of an answer, past what a server says on the way to it."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse, LineTooLong, UnknownProtocol
from typing import Any, BinaryIO

MOST_BYTES = 65_536
"""So long may a line be."""
MOST_LINES = 100
MOST_DIGITS = 19
"""So long may a length be: Python reads no number of some thousand digits."""
BLANK = " \t\r\n"
"""What surrounds a text; others, such as U+00A0, may be half a letter in UTF-8."""
EMPTY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Head(HTTPResponse):
    """An answer of http.client, which takes early hints and the like for the answer itself.

    It also reads headers with a parser of e-mail, which takes longer than all else that an exchange does, and takes
    half an Å in UTF-8 for the end of a line.
    """

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
        answer.headers = answer.msg = _headers(answer.fp)
        answer.chunked = answer.headers.get("transfer-encoding", "").lower() == "chunked"
        answer.chunk_left = None
        length = answer.headers.get("content-length", "")
        if len(length) > MOST_DIGITS and length.isdecimal():
            raise HTTPException(f"got a Content-Length of more than {MOST_DIGITS} digits")
        answer.length = int(length) if length.isdecimal() and not answer.chunked else None
        if status in EMPTY or status < HTTPStatus.OK or answer._method == "HEAD":
            answer.length = 0
        answer.will_close = answer._check_close() or (not answer.chunked and answer.length is None)


def _headers(file: BinaryIO) -> HTTPMessage:
    """The headers, each of one line; what is no header is passed over. Source: RFC 9112 section 5."""
    found, name, text = HTTPMessage(), "", ""
    for line in _lines(file):
        if line[:1] in " \t":  # goes on with the one before
            text = f"{text} {line.strip(BLANK)}"
            continue
        if name:
            found.set_raw(name, text)
        name, colon, text = (one.strip(BLANK) for one in line.partition(":"))
        name = name if colon else ""
    if name:
        found.set_raw(name, text)
    return found


def _lines(file: BinaryIO) -> Iterator[str]:
    """The lines up to the empty one. Raises HTTPException where there are too many."""
    for _ in range(MOST_LINES):
        line = file.readline(MOST_BYTES + 1)
        if len(line) > MOST_BYTES:
            raise LineTooLong("header line")
        if line in (b"\r\n", b"\n", b""):
            return
        yield line.decode("latin-1")
    raise HTTPException(f"got more than {MOST_LINES} headers")
