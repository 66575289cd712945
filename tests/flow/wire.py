"""Servers that speak as a test wants, byte by byte, and a way to ask them without a page."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

from engine.core.events import Event, nowhere
from engine.core.wire import Page, Request
from engine.flow.fetch import Fetcher, Route
from engine.flow.line import Patience
from engine.flow.retry import Policy
from tests.flow.desk import Time

SHORT = Patience(connect=0.3, read=0.3, request=30)
"""In seconds; a step that does not end fails here, and the whole has time for it on the slowest machine."""
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def json_answer(body: bytes, *headers: bytes) -> bytes:
    """A whole answer with this body."""
    return OK + b"".join(one + b"\r\n" for one in headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def head_of(connection: socket.socket) -> bytes:
    """A request up to its empty line; empty bytes when the client went."""
    head = b""
    while b"\r\n\r\n" not in head:
        if not (part := connection.recv(65536)):
            return b""
        head += part
    return head


def _agreed(connection: ssl.SSLSocket) -> bool:
    """Whether both agree on TLS; where not, the client hears why before the connection ends."""
    try:
        connection.do_handshake()
    except ssl.SSLError:
        with contextlib.suppress(OSError), socket.socket(fileno=connection.detach()) as raw:
            raw.settimeout(5)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):
                pass
        return False
    return True


@contextlib.contextmanager
def serving(talk: Callable[[socket.socket, threading.Event], None], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server that talks like this on each connection, until the event is set at its end."""
    over, listener, threads = threading.Event(), socket.create_server(("127.0.0.1", 0)), list[threading.Thread]()
    opened = list[socket.socket]()

    def one(connection: socket.socket) -> None:
        if tls:
            connection = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with contextlib.suppress(OSError), connection:
            if isinstance(connection, ssl.SSLSocket) and not _agreed(connection):
                return
            talk(connection, over)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.settimeout(10)
                opened.append(connection)
                threads.append(threading.Thread(target=one, args=(connection,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for connection in opened:  # a client may keep it open for its next request
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def answering(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Gives this answer to each request of a connection."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        while head_of(connection):
            connection.sendall(answer)

    return talk


def ask(
    url: str, patience: Patience = SHORT, *, tries: int = 1, emit: Callable[[Event], None] = nowhere, **more: Any
) -> Page:
    """The answer of an address; `more` are fields of the route, and `trust`, `deadline`, `time` and `reach`."""
    kept = {name: more.pop(name) for name in ("trust", "deadline", "reach") if name in more}
    clock = more.pop("time", Time()).clock()
    fetcher = Fetcher(clock, emit, policy=Policy(tries=tries), **kept)
    request = more.pop("request", Request("GET", url))
    route = {"session": None, "limiters": (), "hosts": frozenset({request.origin[1]}), "max_bytes": 10**6}
    try:
        return fetcher.fetch(request, Route("things", patience=patience, **{**route, **more}))
    finally:
        fetcher.close()
