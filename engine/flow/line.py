"""The connections of one thread: a request goes out and an answer comes in, each step of it in time."""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from engine.core.errors import CollectionError, ConfigError
from engine.core.kinds import TooLarge
from engine.core.wire import Request
from engine.flow.trust import Proxy, Trust, untrusted

HEADERS = {"User-Agent": "engine", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
MOST_IDLE = 8
"""A thread keeps connections to so many hosts."""
READ_BYTES = 65_536
PIECE_BYTES = 1_000_000
"""A compressed answer is unpacked in such pieces, so that its size can be watched."""
WATCH_SECONDS = 0.05
"""How often the exchanges under way are looked through for those whose time is up."""


Connected = SimpleQueue[socket.socket | OSError | UnicodeError]
"""Where a connection comes, or why there is none."""


class Broken(Exception):
    """A try that brought no usable answer, with the reason in plain words."""

    fix = ""


class Late(Broken):
    """A try that took too long."""

    fix = "try again later; if the vendor is that slow, raise connection.timeout"


@dataclass(frozen=True)
class Patience:
    """How long the steps of one exchange may take, in seconds."""

    connect: float = 10.0
    read: float = 30.0
    """Between two pieces of an answer."""
    request: float = 30.0
    """The whole exchange."""


@dataclass(frozen=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(eq=False)
class Exchange:
    """One request and its answer while they are under way."""

    until: float
    """On the monotonic clock."""
    connection: HTTPConnection | None = None
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

    def begin(self, seconds: float) -> Exchange:
        """An exchange of this thread that must end after so many seconds."""
        exchange = self.here.exchange = Exchange(time.monotonic() + seconds)
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
            for one in late:
                one.is_over = True
                if one.connection is not None and isinstance(one.connection.sock, socket.socket):
                    with suppress(OSError):  # of TLS, too, what lies below: its own shutdown is not for two threads
                        socket.socket.shutdown(one.connection.sock, socket.SHUT_RDWR)


WATCH = Watch()


class _Watched(HTTPConnection):
    """A connection that its exchange knows, made in time even where looking up a name hangs."""

    def _new_conn(self) -> socket.socket:
        WATCH.here.exchange.connection = self
        seconds = float(self.timeout) if isinstance(self.timeout, (int, float)) else Patience.connect
        try:
            return connected(self._dns_host, self.port or 80, seconds)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "took too long") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, str(error)) from error

    def request(self, *args: Any, **settings: Any) -> None:
        WATCH.here.exchange.connection = self
        if self.sock is None:
            self.connect()
        WATCH.here.exchange.is_sent = True
        super().request(*args, **settings)


class _WatchedTls(_Watched, HTTPSConnection):
    """The same in TLS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class Line:
    """The connections of one thread; they are kept for the next exchange."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._managers: dict[tuple[Proxy | None, str, bool], urllib3.PoolManager] = {}

    def close(self) -> None:
        """Close all connections; what is under way in another thread is closed when it ends."""
        for manager in tuple(self._managers.values()):
            manager.clear()

    def exchange(
        self,
        request: Request,
        url: str,
        patience: Patience,
        most_bytes: int,
        *,
        certified: bool = False,
        heed: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Send a request to where its address is answered; `certified`: show the client's certificate, if there is one.

        Raises Broken, Late or TooLarge; CollectionError where TLS is not to be trusted; ConfigError for no address.
        """
        scheme, host = _place(url)
        proxy = self._trust.proxy(scheme, host)
        kind, content = request.content or ("", None)
        if patience.request <= 0:
            raise Late("no time is left for it")
        exchange = WATCH.begin(patience.request)
        answer = None
        try:
            answer = self._manager(proxy, scheme, certified=certified).urlopen(
                request.method,
                url,
                body=content,
                headers=_headers_of(request, kind),
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(
                    connect=min(patience.connect, patience.request), read=min(patience.read, patience.request)
                ),
                preload_content=False,
                decode_content=False,
            )
            if answer.status == 407 and proxy and scheme == "http":
                raise refused(proxy, "407")
            headers = _headers(answer.headers.items())
            body = _whole(_unpacked(_pieces(answer, heed), headers.get("content-encoding", "")), most_bytes)
            found, answer = Answer(answer.status, headers, body), None
            return found
        except LocationValueError:
            raise _no_address(url) from None
        except (HTTPError, OSError, zlib.error) as error:
            raise _broken(error, exchange, patience, proxy, host) from None
        finally:
            WATCH.end(exchange)
            if answer is not None:  # not read to its end
                answer.close()

    def _manager(self, proxy: Proxy | None, scheme: str, *, certified: bool) -> urllib3.PoolManager:
        manager = self._managers.get((proxy, scheme, certified))
        if manager is None:
            context = self._trust.context(certified=certified) if scheme == "https" else None
            if proxy:
                manager = urllib3.ProxyManager(
                    proxy.address, num_pools=MOST_IDLE, proxy_headers=dict(proxy.header), ssl_context=context
                )
            else:
                manager = urllib3.PoolManager(num_pools=MOST_IDLE, ssl_context=context)
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
            self._managers[proxy, scheme, certified] = manager
        return manager


def _place(url: str) -> tuple[str, str]:
    """Scheme and host of an address; raises ConfigError for what is no address."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0):
            return parts.scheme, parts.hostname
    raise _no_address(url)


def _no_address(url: str) -> ConfigError:
    return ConfigError(f"{url.partition('?')[0]} is no web address", "check base_url and the path")


def _headers_of(request: Request, kind: str) -> Mapping[str, str]:
    own = {name.lower(): (name, text) for name, text in request.header}
    usual = {**HEADERS, "Content-Type": kind} if kind else HEADERS
    found = {name: text for name, text in usual.items() if name.lower() not in own}
    if len(own) == len(request.header):
        return found | dict(own.values())
    headers = urllib3.HTTPHeaderDict(found)  # some stand there twice
    for name, text in request.header:
        headers.add(name, text)
    return headers


def _pieces(answer: urllib3.BaseHTTPResponse, heed: Callable[[], None]) -> Iterator[bytes]:
    while part := answer.read1(READ_BYTES):
        heed()
        yield part


def _whole(parts: Iterable[bytes], most_bytes: int) -> bytes:
    found, size = [], 0
    for part in parts:
        size += len(part)
        if size > most_bytes:
            raise TooLarge
        found.append(part)
    return b"".join(found)


def _broken(
    error: Exception, exchange: Exchange, patience: Patience, proxy: Proxy | None, host: str
) -> Broken | CollectionError:
    """What went wrong with an exchange, in plain words."""
    over = Late(f"no whole answer within {patience.request:g} s")
    if exchange.is_over:
        return over
    shown = f"the proxy {proxy.shown}" if proxy else host
    if isinstance(error, ProxyError) and str(error.original_error).startswith("Tunnel connection failed: ") and proxy:
        return refused(proxy, str(error.original_error).partition(": ")[2])
    cause = error.original_error if isinstance(error, ProxyError) else error
    if isinstance(cause, NewConnectionError):  # before what it is a kind of: a timeout
        if isinstance(cause.__cause__, ConnectionRefusedError):
            return Broken(f"no connection to {shown}: it was refused")
        return Broken(f"no connection to {shown} ({cause.__cause__ or cause})")
    if isinstance(cause, ConnectTimeoutError | TimeoutError | ReadTimeoutError) and not exchange.is_sent:
        return Late(f"no connection to {shown} within {min(patience.connect, patience.request):g} s")
    if isinstance(cause, ReadTimeoutError) and patience.read < patience.request:
        return Late(f"nothing came for {patience.read:g} s")
    if isinstance(cause, ReadTimeoutError):
        return over
    if isinstance(cause, zlib.error):
        return Broken("the answer's compression is damaged")
    if isinstance(cause, SSLError | OSError) and (told := untrusted(cause, host)):
        return told
    inner = cause.__cause__ or cause.__context__ or cause
    return Broken(f"the connection broke ({type(inner).__name__})")


def refused(proxy: Proxy, words: str) -> Broken | CollectionError:
    """What to raise for an answer that is the proxy's own; `words` begin with its status."""
    if words.startswith("407"):
        fix = f"set its user: connection.proxy: http://${{secret.proxy_user}}:${{secret.proxy_password}}@{proxy.shown}"
        return CollectionError(f"the proxy {proxy.shown} wants to know who asks (status 407)", fix)
    return Broken(f"the proxy {proxy.shown} refused with {words.strip()}")


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
    return found


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


def _headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by name in lower case; what stands there twice is joined. Source: RFC 9110 section 5.3."""
    found: dict[str, str] = {}
    for name, text in pairs:
        key = name.lower()
        if not text.isascii():  # they come as Latin-1, and most who send more than ASCII mean UTF-8
            with suppress(UnicodeError):
                text = text.encode("latin-1").decode()
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _unpacked(parts: Iterator[bytes], codings: str) -> Iterator[bytes]:
    """The parts of a body without its compression; raises zlib.error where they are not what they should be."""
    for coding in reversed([one.strip().lower() for one in codings.split(",")]):
        if coding in ("gzip", "x-gzip", "deflate"):
            parts = _inflated(parts)
        elif coding not in ("", "identity"):
            raise Broken(f"the answer is packed with {coding}, which nobody asked for")
    return parts


def _inflated(parts: Iterable[bytes]) -> Iterator[bytes]:
    """gzip (also of several members), zlib, or as some servers mean deflate: without a header.

    Not by the HTTP client: it takes what is cut off for whole.
    """
    machine, begun = zlib.decompressobj(47), False
    for part in parts:
        if not begun and part[0] & 0x0F != 8 and part[0] != 0x1F:
            machine = zlib.decompressobj(-15)
        begun = True
        while part:
            if machine.eof:
                machine = zlib.decompressobj(47)
            yield machine.decompress(part, PIECE_BYTES)
            part = machine.unconsumed_tail or machine.unused_data
    yield machine.flush()
    if begun and not machine.eof:
        raise zlib.error("cut off")
