"""The head of an answer is that of the answer itself, whatever comes before it and whatever it holds."""

from __future__ import annotations

import io
import json
import socket
import threading
from http.client import BadStatusLine, HTTPException, RemoteDisconnected, UnknownProtocol
from typing import cast

import pytest

from engine.flow.line.head import Head
from tests.flow.desk import Desk
from tests.flow.wire import head_of, json_answer, serving

SENT = b"Content-Length: 2\r\nContent-Type: text/html\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\n" + SENT + b"\r\n{}"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\nContent-Length: 9\r\n\r\n"


class Said:
    """Where these bytes come from."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.text)


def _read(text: bytes) -> Head:
    answer = Head(cast(socket.socket, Said(text)), method="GET")
    answer.begin()
    return answer


@pytest.mark.parametrize(
    "before",
    [b"", HINTS, HINTS * 2, b"HTTP/1.1 100 Continue\r\n\r\n" + HINTS, b"HTTP/1.1 102 Processing\r\n\r\n"],
)
def test_what_comes_before_an_answer_is_passed_over(before: bytes) -> None:
    answer = _read(before + ANSWER)
    assert (200, None, 2, False) == (answer.status, answer.headers.get("link"), answer.length, answer.will_close)
    assert b"{}" == answer.read()


def test_an_answer_that_leaves_http_is_one() -> None:
    assert 101 == _read(b"HTTP/1.1 101 Other\r\n\r\n").status


@pytest.mark.parametrize(("text", "error"), [(b"", RemoteDisconnected), (b"HTTP/1.1 OK\r\n\r\n", BadStatusLine)])
def test_hints_without_an_answer_are_none(text: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        _read(HINTS + text)


def test_a_header_in_utf_8_ends_where_its_line_ends() -> None:
    city = "X-City: Århus\r\n".encode()  # its second byte is 0x85, where Python's parser begins a new line
    answer = _read(b"HTTP/1.1 200 OK\r\n" + city + SENT + b"\r\n{}")
    assert {"x-city": "Århus", "content-length": "2", "content-type": "text/html"} == answer.headers


def _hinting(connection: socket.socket, over: threading.Event) -> None:
    while head := head_of(connection):
        connection.sendall(HINTS + json_answer(json.dumps([{"id": head.split()[1].decode()}]).encode()))


def test_each_answer_behind_early_hints_goes_to_who_asked_for_it(desk: Desk) -> None:
    with serving(_hinting) as port:
        connection = {"base_url": f"http://127.0.0.1:{port}", "concurrency": 1}
        result = desk.collect({name: f"/{name}" for name in "abc"}, connection=connection)
    assert "succeeded" == result.status
    assert [[{"id": "/a"}], [{"id": "/b"}], [{"id": "/c"}]] == [desk.rows(name) for name in "abc"]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (b"X-A: 1\r\nx-a: 2\r\n", {"x-a": "1, 2"}),
        (b"X-A:1 \t\r\nX-Empty:\r\n", {"x-a": "1", "x-empty": ""}),
        (b"X-A: 1\r\n and 2\r\n\tand 3\r\nX-B: 4\n", {"x-a": "1 and 2 and 3", "x-b": "4"}),
        (b" what: goes on with nothing\r\nno header\r\nX-A: a:b\r\n", {"x-a": "a:b"}),
        (b"X-A: 1\r\nno header\r\n goes: on\r\n: no name\r\nX-B: 2\r\n", {"x-a": "1", "x-b": "2"}),
        (b"X-A: \xe9\r\n", {"x-a": "é"}),
        ("X-A: Å\r\nX-B: \u00e0 \r\n goes on à\r\n".encode(), {"x-a": "Å", "x-b": "à goes on à"}),
        (b"X-A: \x1c1\x1f\r\n", {"x-a": "\x1c1\x1f"}),
    ],
)
def test_headers_are_read_line_by_line(lines: bytes, found: dict[str, str]) -> None:
    assert found == _read(b"HTTP/1.1 204 No Content\r\n" + lines + b"\r\n").headers


@pytest.mark.parametrize(
    ("head", "length", "ends", "chunked"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", 5, False, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n", None, True, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n", 5, False, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 19 + b"\r\n", int("9" * 19), False, False),
        (b"HTTP/1.1 200 OK\r\n", None, True, False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n", 5, True, False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", 5, True, False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n", 5, False, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 5\r\n", None, False, True),
        (b"HTTP/1.1 204 No Content\r\n", 0, False, False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n", 0, False, False),
    ],
)
def test_the_head_says_where_the_answer_ends(head: bytes, length: int | None, ends: bool, chunked: bool) -> None:
    answer = _read(head + b"\r\n")
    assert (length, ends, chunked) == (answer.length, answer.will_close, answer.chunked)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 100 + b"\r\n", HTTPException),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"1" * 70_000 + b"\r\n\r\n", HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"1" * 20 + b"\r\n\r\n", HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"1" * 5_000 + b"\r\n\r\n", HTTPException),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", HTTPException),
        (b"HTTP/2.0 200 OK\r\n\r\n", UnknownProtocol),
    ],
)
def test_a_head_without_end_or_of_another_protocol_is_refused(text: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        _read(text)
