"""Connections as an exchange needs them: made in time, ended in time, and no slower than they must be."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from engine.flow.line.head import Head

WATCH_SECONDS = 0.05
"""How often the exchanges under way are looked through for those whose time is up."""


Connected = SimpleQueue[socket.socket | OSError | UnicodeError]
"""Where a connection comes, or why there is none."""


@dataclass(eq=False)
class Exchange:
    """One request and its answer while they are under way."""

    until: float
    """On the monotonic clock."""
    connect_seconds: float
    sock: socket.socket | None = None
    """Its own: a connection forgets it when the head of an answer says that it will close."""
    is_sent: bool = False
    """Whether there was a connection to send the request on."""
    is_over: bool = False


class Watch:
    """Ends the exchanges whose time is up: the timeouts of a socket begin anew with each byte that drips in."""

    def __init__(self) -> None:
        self._under_way: set[Exchange] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.here = threading.local()
        """The exchange of this thread."""

    def begin(self, seconds: float, connect_seconds: float) -> Exchange:
        """An exchange of this thread that must end after so many seconds."""
        exchange = self.here.exchange = Exchange(time.monotonic() + seconds, connect_seconds)
        with self._lock:
            self._under_way.add(exchange)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
                self._thread.start()
        return exchange

    def end(self, exchange: Exchange) -> None:
        """It has ended."""
        with self._lock:
            self._under_way.discard(exchange)

    def _look(self) -> None:
        while True:
            time.sleep(WATCH_SECONDS)
            now = time.monotonic()
            with self._lock:
                late = [one for one in self._under_way if one.until < now]
                self._under_way.difference_update(late)
                for one in late:  # under the lock: behind `end` the connection may be that of another exchange
                    one.is_over = True
                    if one.sock is not None:
                        with suppress(OSError):  # of TLS, too, what lies below: its own shutdown is not for two threads
                            socket.socket.shutdown(one.sock, socket.SHUT_RDWR)


WATCH = Watch()


class _Steady(socket.socket):
    """Sets its timeout where that changes: each time is a call into the system, at which another thread goes on."""

    def settimeout(self, value: float | None) -> None:
        if value != self.gettimeout():
            super().settimeout(value)


class _SteadyTls(_Steady, ssl.SSLSocket):
    """The same in TLS."""


class _Watched(HTTPConnection):
    """A connection that its exchange knows, made in time even where looking up a name hangs."""

    response_class = Head

    def _new_conn(self) -> socket.socket:
        exchange: Exchange = WATCH.here.exchange
        try:
            exchange.sock = connected(self._dns_host, self.port or 80, exchange.connect_seconds)
            return exchange.sock
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "took too long") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, str(error)) from error

    # What follows is http.client alone: what urllib3 does around it takes as long once more.

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **_: Any) -> None:
        exchange = WATCH.here.exchange
        if self.sock is None:
            self.connect()
        exchange.sock, exchange.is_sent = self.sock, True
        if exchange.is_over:  # the Watch looked while there was nothing to shut down
            raise TimeoutError
        self.sock.settimeout(self.timeout)
        http.client.HTTPConnection.request(self, method, url, body, headers)

    def putheader(self, header: str | bytes, *values: Any) -> None:
        http.client.HTTPConnection.putheader(self, header, *values)

    def getresponse(self) -> Any:
        self.sock.settimeout(self.timeout)
        return http.client.HTTPConnection.getresponse(self)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same in TLS."""


class Pool(urllib3.HTTPConnectionPool):
    """Connections to one server."""

    ConnectionCls = _Watched


class TlsPool(urllib3.HTTPSConnectionPool):
    """The same in TLS."""

    ConnectionCls = _WatchedTls


def pool_of(host: str, port: int | None, context: ssl.SSLContext | None) -> urllib3.HTTPConnectionPool:
    """The connections of one thread to one server."""
    if context is None:
        return Pool(host, port)
    context.sslsocket_class = _SteadyTls
    return TlsPool(host, port, ssl_context=context)


def connected(host: str, port: int, seconds: float) -> socket.socket:
    """Connect in a thread that is left behind when time is up: looking up a name has no timeout."""
    made = Connected()
    gone = threading.Event()
    threading.Thread(target=_connect, args=(host, port, seconds, made, gone), daemon=True).start()
    try:
        found = made.get(timeout=seconds)
    except Empty:
        gone.set()
        with suppress(Empty):
            if isinstance(late := made.get_nowait(), socket.socket):
                late.close()
        raise TimeoutError from None
    if not isinstance(found, socket.socket):
        raise found
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    timeout = found.gettimeout()
    steady = _Steady(fileno=found.detach())
    steady.settimeout(timeout)
    return steady


def _connect(host: str, port: int, seconds: float, made: Connected, gone: threading.Event) -> None:
    """Put a connection to one of the host's addresses, or what went wrong; each address gets its share of the time."""
    until = time.monotonic() + seconds
    found: socket.socket | OSError | UnicodeError = OSError("it has no address")
    try:
        addresses = list(dict.fromkeys(info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    except (OSError, UnicodeError) as error:
        made.put(error)
        return
    for at, address in enumerate(addresses):
        try:
            share = max(0.01, (until - time.monotonic()) / (len(addresses) - at))
            found = socket.create_connection((str(address), port), share)
            break
        except OSError as error:  # raised where the connection is waited for
            found = error
    made.put(found)
    if gone.is_set() and isinstance(found, socket.socket):
        found.close()
