"""The head of an answer is read as Python's own HTTP client reads it, whatever it holds."""

from __future__ import annotations

import io
import socket
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.line.head import Head


class Said:
    """Where these bytes come from."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.text)


def _read(kind: type[HTTPResponse], text: bytes, method: str) -> Any:
    """What there is to know of an answer with this head, and what is behind it; or what was wrong with it."""
    answer = kind(cast(socket.socket, Said(text)), method=method)
    try:
        answer.begin()
        said = (answer.version, answer.status, answer.reason, answer.msg.items(), answer.msg.get_payload() or None)
        return *said, answer.chunked, answer.length, answer.will_close, b"" if answer.isclosed() else answer.read()
    except HTTPException as error:
        return type(error), str(error)


SENT = b"Content-Length: 2\r\nContent-Type: text/html\r\n"
HEADS = [
    b"HTTP/1.1 200 OK\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 200 OK\n" + SENT.replace(b"\r", b"") + b"\n{}",
    b"HTTP/1.1 200\r\nX-None:\r\nX-Space:  a b \t\r\nx-none: \xe9\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 201 Made\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 9\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 204 Nothing\r\n\r\n",
    b"HTTP/1.1 304 Same\r\n" + SENT + b"\r\n",
    b"HTTP/1.1 101 Other\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n{}",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + SENT + b"\r\n{}",
    b"HTTP/0.9 200 OK\r\n\r\n{}",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 OK\r\n\r\n",
    b"HTTP/1.1 1000 OK\r\n\r\n",
    b"ICY 200 OK\r\n\r\n",
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\nno colon\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\nX Y: 1\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\n: 1\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\nX: a\rb\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\nX: a\x00b\x7f\r\n" + SENT + b"\r\n{}",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 101 + b"\r\n",
    b"HTTP/1.1 200 OK\r\n" + SENT,
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("text", HEADS, ids=range(len(HEADS)))
def test_a_head_means_what_it_means_to_python(text: bytes, method: str) -> None:
    assert _read(HTTPResponse, text, method) == _read(Head, text, method)


PIECE = st.sampled_from(
    [b"a", b"X-A", b":", b": ", b" ", b"\t", b"\r\n", b"\n", b"\r", b"\xe9", b"7", b"Content-Length"]
)


BREAKS = frozenset(b"\x0b\x0c\x1c\x1d\x1e\x85")
"""What Python takes for the end of a line, too."""


@given(st.lists(PIECE, max_size=30).map(b"".join), st.binary(max_size=20).filter(lambda text: not BREAKS & set(text)))
def test_no_bytes_mean_anything_else(lines: bytes, more: bytes) -> None:
    text = b"HTTP/1.1 200 OK\r\n" + lines + more + b"\r\n\r\n{}"
    assert _read(HTTPResponse, text, "GET") == _read(Head, text, "GET")


def test_a_header_in_utf_8_ends_where_its_line_ends() -> None:
    city = "X-City: Århus\r\n".encode()  # its second byte is 0x85, where Python's parser begins a new line
    headers = _read(Head, b"HTTP/1.1 200 OK\r\n" + city + SENT + b"\r\n{}", "GET")[3]
    assert ["X-City", "Content-Length", "Content-Type"] == [name for name, _ in headers]
