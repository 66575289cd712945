"""Nothing hangs for ever: each step of an exchange, and the collection as a whole, ends in time and in words."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import CollectionError
from engine.flow.limits import Deadline
from engine.flow.line import Patience
from engine.flow.trust import Proxy, Trust
from tests.flow.certificates import Authority
from tests.flow.desk import NOON, Desk, Time, Tiny, of
from tests.flow.wire import ask, head_of, json_answer, serving
from tests.vendors.server import Asked

LONG = 5.0
"""No step may take so many seconds where a fraction of one is allowed."""
WHOLE = Patience(connect=30, read=30, request=0.4)
"""Only an exchange as a whole is given up."""


def _fails(url: str, **more: Any) -> str:
    """The words with which an address is given up, which must come soon."""
    begun = time.monotonic()
    with pytest.raises(CollectionError) as raised:
        ask(url, **more)
    assert time.monotonic() - begun < LONG
    return raised.value.message


def _silent(connection: socket.socket, over: threading.Event) -> None:
    over.wait()


def _dripping(
    data: bytes, hear: Callable[[socket.socket], bytes] = head_of
) -> Callable[[socket.socket, threading.Event], None]:
    """Sends a byte whenever a read is about to be given up."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        hear(connection)
        for at in range(len(data)):
            if over.wait(0.1):
                return
            connection.sendall(data[at : at + 1])

    return talk


def test_a_server_that_takes_no_connection_is_given_up() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            url = f"http://127.0.0.1:{full.getsockname()[1]}/things"
            words = "no connection to 127.0.0.1 within 0.3 s"
            assert words in _fails(url)
        finally:
            for one in waiting:
                one.close()


def test_a_name_that_is_looked_up_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(LONG * 2) and [])
    try:
        assert "no connection to vendor.example within 0.3 s" in _fails("http://vendor.example/things")
    finally:
        over.set()


def test_an_address_that_is_dead_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda connection, over: connection.sendall(json_answer(b"[]"))) as port, socket.socket() as dead:
        dead.bind(("127.0.0.2", port))  # which nobody listens on
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *rest, **more: found if host == "vendor.example" else real(host, *rest)
        )
        assert 200 == ask(f"http://vendor.example:{port}/things").status


def test_a_tls_handshake_that_hangs_is_given_up() -> None:
    with serving(_silent) as port:
        assert "no connection to 127.0.0.1 within 0.3 s" in _fails(f"https://127.0.0.1:{port}/things")


def test_a_tls_handshake_that_drips_is_given_up() -> None:
    with serving(_dripping(b"\x16\x03\x03\x40\x00" + bytes(1000), lambda hello: hello.recv(65536))) as port:
        patience = Patience(connect=0.4, read=0.3, request=LONG)
        assert "no connection to 127.0.0.1 within 0.4 s" in _fails(f"https://127.0.0.1:{port}/", patience=patience)


def test_a_server_that_says_nothing_is_given_up() -> None:
    with serving(_silent) as port:
        assert "nothing came for 0.3 s" in _fails(f"http://127.0.0.1:{port}/things")


def test_headers_that_drip_are_given_up() -> None:
    with serving(_dripping(json_answer(b"[]"))) as port:
        assert "no whole answer within 0.4 s" in _fails(f"http://127.0.0.1:{port}/things", patience=WHOLE)


def _endless(begin: bytes, piece: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Sends this, and then a piece whenever a read is about to be given up."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        head_of(connection)
        connection.sendall(begin)
        for _ in range(60):
            if over.wait(0.1):
                return
            connection.sendall(piece)

    return talk


CLOSING = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nConnection: close\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na,b\n\r\n"
DRIPS = {
    "body": (json_answer(b"[]" + b" " * 1000)[:-1000], b" "),
    "closing": (CLOSING + b"Content-Length: 1000\r\n\r\na,b\n", b"1"),
    "closing without length": (CLOSING + b"\r\na,b\n", b"1"),
    "chunk": (CHUNKED + b"fff\r\n", b"1"),
    "size of a chunk": (CHUNKED + b"0", b"0"),
    "trailers": (CHUNKED + b"0\r\n", b"X: 1\r\n"),
    "interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize(("begin", "piece"), DRIPS.values(), ids=DRIPS)
def test_an_answer_that_drips_is_given_up(begin: bytes, piece: bytes) -> None:
    with serving(_endless(begin, piece)) as port:
        assert "no whole answer within 0.4 s" in _fails(f"http://127.0.0.1:{port}/things", patience=WHOLE)


def test_a_closing_answer_in_tls_that_drips_is_given_up(tmp_path: Path) -> None:
    authority = Authority()
    with serving(_endless(CLOSING + b"\r\na,b\n", b"1"), authority.serving(tmp_path, "127.0.0.1")) as port:
        trust = Trust(more=(authority.pem,))
        words = _fails(f"https://127.0.0.1:{port}/things", patience=Patience(30, 30, 1), trust=trust)
    assert "no whole answer within 1 s" in words


def test_a_connection_that_comes_when_time_is_up_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, asked = Authority(), list[bytes]()
    context, real = authority.serving(tmp_path, "127.0.0.1"), socket.getaddrinfo

    def talk(connection: socket.socket, over: threading.Event) -> None:
        over.wait(0.25)
        with context.wrap_socket(connection, server_side=True) as inner:
            asked.append(head_of(inner))

    def look_up(*asked: Any, **more: Any) -> Any:
        threading.Event().wait(0.2)  # twice: of the name, and of its address
        return real(*asked, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with serving(talk) as port:
        trust, patience = Trust(more=(authority.pem,)), Patience(connect=30, read=30, request=0.5)
        _fails(f"https://127.0.0.1:{port}/things", patience=patience, trust=trust)
    assert not any(asked)


def test_a_body_that_stops_is_given_up() -> None:
    def talk(connection: socket.socket, over: threading.Event) -> None:
        head_of(connection)
        connection.sendall(json_answer(b"[]" + b" " * 1000)[:-1000])
        over.wait()

    with serving(talk) as port:
        assert "nothing came for 0.3 s" in _fails(f"http://127.0.0.1:{port}/things")


@pytest.mark.parametrize(
    ("scheme", "words"), [("http", "nothing came for 0.3 s"), ("https", "no connection to the proxy")]
)
def test_a_proxy_that_hangs_is_given_up(scheme: str, words: str) -> None:
    with serving(_silent) as port:
        trust = Trust(page_proxy=Proxy.of(f"http://127.0.0.1:{port}"))
        assert words in _fails(f"{scheme}://vendor.example/things", trust=trust)


def test_what_is_slow_may_be_given_more_time() -> None:
    with serving(_silent) as port, pytest.raises(CollectionError) as raised:
        ask(f"http://127.0.0.1:{port}/things")
    assert "try again later; if the vendor is that slow, raise connection.timeout" == raised.value.fix


# --- on a page


@pytest.fixture
def silent() -> Iterator[int]:
    with serving(_silent) as port:
        yield port


def test_an_endpoint_may_have_a_timeout_of_its_own(desk: Desk, silent: int) -> None:
    connection = {"base_url": f"http://127.0.0.1:{silent}", "timeout": "20s"}
    result = desk.collect({"things": {"get": "/things", "timeout": "0.1s"}}, connection=connection)
    assert "no whole answer within 0.1 s, after 5 tries" in of(result, "things").missing[0]


def test_a_sign_in_that_hangs_is_given_up(desk: Desk, vendor: Tiny, silent: int) -> None:
    desk.env = {"ID": "id-4711", "SECRET": "secret-4711"}
    url = f"http://127.0.0.1:{silent}/token"
    client = {"token_url": url, "client_id": "${secret.id}", "client_secret": "${secret.secret}"}
    connection = {"auth": {"oauth2_client_credentials": client}, "timeout": {"read": "0.1s"}}
    secrets = {"id": {"env": "ID"}, "secret": {"env": "SECRET"}}
    result = desk.collect({"things": "/things"}, connection=connection, secrets=secrets)
    assert (f"the sign-in at {url}: nothing came for 0.1 s, after 5 tries",) == of(result, "things").missing
    assert [] == vendor.log


# --- the deadline of the whole collection


def test_behind_the_deadline_nothing_is_asked(desk: Desk, vendor: Tiny) -> None:
    def slow(asked: Asked) -> Any:
        desk.time.now += 3601
        return [{"id": 1}]

    vendor.routes = {"/first": slow, "/second": [{"id": 2}]}
    endpoints = {"first": "/first", "second": {"get": "/second", "for_each": {"one": "first"}}}
    result = desk.collect(endpoints, connection={"deadline": "1h"})
    assert ("incomplete", 3, ["/first"]) == (result.status, result.exit_code, vendor.targets())
    assert [] == list(of(result, "first").missing)
    assert "did not come within the 1h that the collection may take" in of(result, "second").missing[0]
    assert "raise connection.deadline, or ask for less at once" == result.errors[0]["fix"]


def test_a_wait_that_would_pass_the_deadline_is_not_begun() -> None:
    clock = Time()
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n"
    with serving(lambda connection, over: connection.sendall(answer)) as port:
        deadline = Deadline(NOON + 60, "1m")
        words = _fails(f"http://127.0.0.1:{port}/things", tries=5, deadline=deadline, time=clock)
    assert "did not come within the 1m" in words
    assert [] == clock.waits


def test_an_exchange_ends_with_the_deadline() -> None:
    with serving(_silent) as port:
        patience = Patience(connect=9, read=9, request=9)
        url = f"http://127.0.0.1:{port}/things"
        assert "no whole answer within 0.2 s" in _fails(url, patience=patience, deadline=Deadline(NOON + 0.2, "1m"))


def test_a_collection_ends_though_its_threads_hang(desk: Desk, vendor: Tiny) -> None:
    going = threading.Event()

    def hang(asked: Asked) -> Any:
        desk.time.now += 3610
        going.wait(LONG * 2)
        return []

    vendor.routes["/things"] = hang
    try:
        result = desk.collect({"things": "/things"}, connection={"deadline": "1h", "timeout": "1h"})
    finally:
        going.set()
    assert ("incomplete", 3) == (result.status, result.exit_code)
    assert "what is still under way did not come within the 1h" in of(result, "things").missing[0]
