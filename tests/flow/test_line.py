"""Bytes on a connection: what is sent, what is understood, what is used again, and what is refused."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import CollectionError, ConfigError
from engine.core.wire import Page, Request
from engine.flow.fence import allowed
from engine.flow.line import Patience
from tests.flow.wire import OK, answering, ask, head_of, json_answer, serving

LONG = Patience(10, 10, 10)
Talk = Callable[[socket.socket, threading.Event], None]


def _page(talk: Talk, path: str = "/things", **more: Any) -> Page:
    with serving(talk) as port:
        return ask(f"http://127.0.0.1:{port}{path}", LONG, **more)


def _problem(talk: Talk, **more: Any) -> str:
    with pytest.raises(CollectionError) as raised:
        _page(talk, **more)
    return raised.value.message.partition(": ")[2]


class Heard:
    """Remembers each head that it was sent, and answers."""

    def __init__(self, answer: bytes = json_answer(b"[]")) -> None:
        self.heads: list[str] = []
        self.connections = 0
        self.answer = answer

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        self.connections += 1
        while head := head_of(connection).decode():
            self.heads.append(head)
            connection.sendall(self.answer)


# --- what is sent


def _sent(request: Request, **more: Any) -> list[str]:
    heard = Heard()
    with serving(heard) as port:
        moved = Request(
            request.method,
            request.url.replace("HERE", f"127.0.0.1:{port}"),
            query=request.query,
            header=request.header,
            body=request.body,
            media=request.media,
        )
        ask(moved.url, LONG, request=moved, **more)
        return heard.heads[0].replace(str(port), "PORT").split("\r\n")


def test_a_request_says_who_asks_and_what_it_takes() -> None:
    expected = ["GET /things?a=b%20c HTTP/1.1", "Host: 127.0.0.1:PORT", "User-Agent: engine"]
    expected += ["Accept: application/json", "Accept-Encoding: gzip, deflate", "X-Own: 1", "", ""]
    assert expected == _sent(Request("GET", "http://HERE/things", (("a", "b c"),), (("X-Own", "1"),)))


def test_a_page_may_say_otherwise() -> None:
    header = (("accept", "text/csv"), ("HOST", "other.example"), ("User-Agent", "acme"))
    lines = _sent(Request("GET", "http://HERE/things", header=header))
    assert ["accept: text/csv", "HOST: other.example", "User-Agent: acme"] == lines[2:5]
    assert 1 == sum(line.lower().startswith("host:") for line in lines)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_body_goes_with_its_type_and_length(method: str) -> None:
    lines = _sent(Request(method, "http://HERE/things", body={"a": 1}))
    assert f"{method} /things HTTP/1.1" == lines[0]
    assert {"Content-Type: application/json", "Content-Length: 7"} <= set(lines)


@pytest.mark.parametrize("path", ["/a%2Fb;c=1/~d", "/.well-known//x.json"])
def test_a_path_is_sent_letter_by_letter(path: str) -> None:
    assert f"GET {path} HTTP/1.1" == _sent(Request("GET", f"http://HERE{path}"))[0]


@pytest.mark.parametrize(("path", "sent"), [("/a/../b/./c", "/b/c"), ("/a/..", "/"), ("", "/"), ("/a#b", "/a")])
def test_a_path_leads_straight_to_its_end(path: str, sent: str) -> None:
    assert f"GET {sent} HTTP/1.1" == _sent(Request("GET", f"http://HERE{path}"))[0]


def test_what_no_request_line_can_hold_is_escaped() -> None:
    assert "GET /caf%C3%A9%20au%20lait HTTP/1.1" == _sent(Request("GET", "http://HERE/café au lait"))[0]


@pytest.mark.parametrize(
    ("name", "text"), [("X-A", "a\r\nX-B: b"), ("X-A", "caf\u00e9"), ("X A", "1"), ("X\r\nA", "1")]
)
def test_what_no_header_can_hold_is_never_sent(name: str, text: str) -> None:
    with pytest.raises(CollectionError, match="has a letter or a line break that no header can hold"):
        ask("", request=Request("GET", "http://127.0.0.1:9/things", header=((name, text),)))


@pytest.mark.parametrize(
    "url", ["http:///things", "http://127.0.0.1:port/", "http://a b/", "http://[bad/", "ftp://127.0.0.1:9/", "things"]
)
def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="is no web address"):
        ask("", request=Request("GET", "http://127.0.0.1/"), reach=lambda _: url)


# --- what is understood


def test_a_body_in_chunks_is_put_together() -> None:
    chunks = b"4\r\n[1,2\r\n3;name=x\r\n,3]\r\n0\r\nTrailer: 1\r\n\r\n"
    assert b"[1,2,3]" == _page(answering(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)).body


def test_a_body_may_end_with_the_connection() -> None:
    def talk(connection: socket.socket, over: threading.Event) -> None:
        head_of(connection)
        connection.sendall(OK + b"\r\n[1]")

    assert b"[1]" == _page(talk).body


@pytest.mark.parametrize("said", [b"Content-Length: 3, 3", b"Content-Length: 3\r\nContent-Length: 3"])
def test_a_length_said_twice_is_one(said: bytes) -> None:
    assert b"[1]" == _page(answering(OK + said + b"\r\nConnection: close\r\n\r\n[1]")).body


def test_what_only_says_that_an_answer_will_come_is_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\nLink: </style.css>\r\n\r\n"
    assert b"[1]" == _page(answering(interim + interim + json_answer(b"[1]"))).body


def test_headers_come_in_lower_case_and_joined() -> None:
    page = _page(answering(json_answer(b"[]", b"LINK: <a>; rel=next", b"Link: <b>; rel=last")))
    assert "<a>; rel=next, <b>; rel=last" == page.headers["link"]


@pytest.mark.parametrize(("raw", "text"), [("café".encode(), "café"), ("café".encode("latin-1"), "café")])
def test_headers_beyond_ascii_are_read(raw: bytes, text: str) -> None:
    assert text == _page(answering(json_answer(b"[]", b"X-Name: " + raw))).headers["x-name"]


def _once(answer: bytes) -> Talk:
    """Gives this answer and ends the connection."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        head_of(connection)
        connection.sendall(answer)

    return talk


CSV = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n"
CHUNKED = CSV + b"Transfer-Encoding: chunked\r\n\r\n"
CUT = [
    json_answer(b"[1, 2, 3]")[:-3],
    b"HTTP/1.1 200",
    b"HTTP/1.1 103 Early Hints\r\n",
    CSV,
    CSV[:-1],
    CSV + b"Content-Len",
    CSV + b"\r",
    CHUNKED,
    CHUNKED + b"9\r\na,b\n",
    CHUNKED + b"4\r\na,b\n",
    CHUNKED + b"4\r\na,b\n\r",
    CHUNKED + b"4\r\na,b\n\r\n",
    CHUNKED + b"4\r\na,b\n\r\n00",
    CHUNKED + b"4\r\na,b\n\r\n0\r",
    CHUNKED + b"4\r\na,b\n\r\n0;name",
]


@pytest.mark.parametrize("answer", CUT, ids=range(len(CUT)))
def test_an_answer_that_is_cut_off_is_never_taken_for_whole(answer: bytes) -> None:
    assert "the answer is cut off" == _problem(_once(answer))


@pytest.mark.parametrize("trailer", [b"", b"Trailer: 1\r\n", b"Trai"])
def test_an_answer_is_whole_with_its_last_chunk(trailer: bytes) -> None:
    """Source: RFC 9112 section 8."""
    assert b"[12]" == _page(_once(CHUNKED + b"4 ;name=x\r\n[12]\r\n000\r\n" + trailer)).body


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "RemoteDisconnected"),
        (b"SSH-2.0-OpenSSH_9\r\n", "BadStatusLine"),
        (OK + b"X: " + b"a" * 70_000 + b"\r\n\r\n", "LineTooLong"),
        (CHUNKED + b"zz\r\n", "got a chunk without a size"),
        (CHUNKED + b"4\r\na,b\n\r\n-0\r\n\r\n", "got a chunk without a size"),
        (OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n[1]", "got more than one Content-Length"),
        (OK + b"Content-Length: 3, 4\r\n\r\n[1]", "got more than one Content-Length"),
        (OK + b"Content-Length: " + b"3" * 5_000 + b"\r\n\r\n[1]", "got a Content-Length of more than 19 digits"),
    ],
)
def test_what_is_no_http_is_a_broken_connection(answer: bytes, words: str) -> None:
    assert f"the connection broke ({words})" == _problem(_once(answer))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_it(noise: bytes) -> None:
    def talk(connection: socket.socket, over: threading.Event) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 " + noise)

    with pytest.raises(CollectionError):
        _page(talk)


# --- compressed


BODY = b'[{"id": 1, "name": "a thing"}]'
RAW = zlib.compressobj(wbits=-15)
PACKED = [
    ("gzip", gzip.compress(BODY, mtime=0)),
    ("x-gzip", gzip.compress(BODY, mtime=0)),
    ("gzip", gzip.compress(BODY[:9], mtime=0) + gzip.compress(BODY[9:], mtime=0)),
    ("deflate", zlib.compress(BODY)),
    ("deflate", RAW.compress(BODY) + RAW.flush()),
    ("deflate, gzip", gzip.compress(zlib.compress(BODY), mtime=0)),
    ("identity", BODY),
]


@pytest.mark.parametrize(("coding", "packed"), PACKED, ids=range(len(PACKED)))
def test_a_compressed_body_is_unpacked(coding: str, packed: bytes) -> None:
    assert BODY == _page(answering(json_answer(packed, b"Content-Encoding: " + coding.encode()))).body


@pytest.mark.parametrize(
    "packed",
    [b"no gzip", gzip.compress(BODY, mtime=0)[:-9], gzip.compress(BODY, mtime=0)[:12] + bytes(9)],
    ids=["none", "cut", "broken"],
)
def test_damaged_compression_is_told(packed: bytes) -> None:
    answer = json_answer(packed, b"Content-Encoding: gzip")
    assert "the answer's compression is damaged" == _problem(answering(answer))


def test_compression_that_is_cut_off_with_the_connection_is_told() -> None:
    head = CSV + b"Content-Encoding: gzip\r\n\r\n"
    assert "the answer's compression is damaged" == _problem(_once(head + gzip.compress(BODY, mtime=0)[:-9]))


def test_a_body_packed_twice_may_come_in_the_smallest_pieces() -> None:
    packed = gzip.compress(zlib.compress(BODY), mtime=0)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in packed) + b"0\r\n\r\n"
    assert (
        BODY
        == _page(_once(OK + b"Content-Encoding: deflate, gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)).body
    )


def test_a_compression_that_nobody_asked_for_is_told() -> None:
    answer = json_answer(BODY, b"Content-Encoding: br")
    assert "the answer is packed with br, which nobody asked for" == _problem(answering(answer))


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, gzip"])
def test_a_bomb_is_refused_when_it_passes_the_limit(coding: bytes) -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    bomb = gzip.compress(bomb) if b"," in coding else bomb

    def talk(connection: socket.socket, over: threading.Event) -> None:
        head_of(connection)
        connection.sendall(json_answer(bomb, b"Content-Encoding: " + coding))

    words = _problem(talk, max_bytes=1_000_000)
    assert "the answer is larger than 1,000,000 bytes" == words


# --- used again


def _both(heard: Heard) -> int:
    """How many connections two requests of one thread took."""
    from engine.core.events import nowhere
    from engine.flow.fetch import Fetcher, Route
    from tests.flow.desk import Time

    with serving(heard) as port:
        fetcher = Fetcher(Time().clock(), nowhere)
        try:
            for _ in range(2):
                route = Route("things", None, (), frozenset({"127.0.0.1"}), LONG, 10**6)
                fetcher.fetch(Request("GET", f"http://127.0.0.1:{port}/things"), route)
        finally:
            fetcher.close()
    return heard.connections


def test_a_connection_is_used_again() -> None:
    assert 1 == _both(Heard())


def test_a_connection_that_the_server_ends_is_not_used_again() -> None:
    assert 2 == _both(Heard(json_answer(b"[]", b"Connection: close")))


# --- hosts with a star


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("files.acme.example", True),
        ("a.b.acme.example", True),
        ("acme.example", False),
        ("evilacme.example", False),
        ("files.acme.example.evil.example", False),
        ("", False),
    ],
)
def test_a_star_stands_for_all_below_a_host(host: str, may: bool) -> None:
    assert may == allowed(host, frozenset({"*.acme.example"}))
