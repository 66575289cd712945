"""The head of an answer is that of the answer itself, whatever comes before it and whatever it holds."""

from __future__ import annotations

import io
import json
import socket
import threading
from http.client import BadStatusLine, HTTPResponse, RemoteDisconnected
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


def _read(text: bytes) -> HTTPResponse:
    answer = Head(cast(socket.socket, Said(text)), method="GET")
    answer.begin()
    return answer


@pytest.mark.parametrize(
    "before",
    [b"", HINTS, HINTS * 2, b"HTTP/1.1 100 Continue\r\n\r\n" + HINTS, b"HTTP/1.1 102 Processing\r\n\r\n"],
)
def test_what_comes_before_an_answer_is_passed_over(before: bytes) -> None:
    answer = _read(before + ANSWER)
    assert (200, None, 2, False) == (answer.status, answer.headers["Link"], answer.length, answer.will_close)
    assert b"{}" == answer.read()


def test_an_answer_that_leaves_http_is_one() -> None:
    assert 101 == _read(b"HTTP/1.1 101 Other\r\n\r\n").status


@pytest.mark.parametrize(("text", "error"), [(b"", RemoteDisconnected), (b"HTTP/1.1 OK\r\n\r\n", BadStatusLine)])
def test_hints_without_an_answer_are_none(text: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        _read(HINTS + text)


def test_a_header_in_utf_8_ends_where_its_line_ends() -> None:
    city = "X-City: Århus\r\n".encode()  # its second byte is 0x85, where Python's parser begins a new line
    assert ["X-City", "Content-Length", "Content-Type"] == _read(
        b"HTTP/1.1 200 OK\r\n" + city + SENT + b"\r\n{}"
    ).msg.keys()


def _hinting(connection: socket.socket, over: threading.Event) -> None:
    while head := head_of(connection):
        connection.sendall(HINTS + json_answer(json.dumps([{"id": head.split()[1].decode()}]).encode()))


def test_each_answer_behind_early_hints_goes_to_who_asked_for_it(desk: Desk) -> None:
    with serving(_hinting) as port:
        connection = {"base_url": f"http://127.0.0.1:{port}", "concurrency": 1}
        result = desk.collect({name: f"/{name}" for name in "abc"}, connection=connection)
    assert "succeeded" == result.status
    assert [[{"id": "/a"}], [{"id": "/b"}], [{"id": "/c"}]] == [desk.rows(name) for name in "abc"]
