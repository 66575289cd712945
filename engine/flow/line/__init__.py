"""The connections of one thread: a request goes out and an answer comes in, each step of it in time."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import parse_url

from engine.core.errors import CollectionError, ConfigError
from engine.core.kinds import TooLarge
from engine.core.wire import Request
from engine.flow.line.connection import WATCH, Exchange, Pool, TlsPool, pool_of
from engine.flow.trust import Proxy, Trust, untrusted

HEADERS = {"User-Agent": "engine", "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
MOST_IDLE = 8
"""A thread keeps connections to so many hosts."""
ONCE = urllib3.Retry(False, redirect=False)
"""Whether to try again is not for the HTTP client to say."""
PLAIN = re.compile(r"(https?://[\w.:\[\]-]+)((?:/(?!\.)[^/#]*)+)")
"""An address whose path leads straight to its end; of most requests the server is the same."""
_parsed = lru_cache(maxsize=1024)(parse_url)
PIECE_BYTES = 1_000_000
"""A compressed answer is unpacked in such pieces, so that its size can be watched."""


class Broken(Exception):
    """A try that brought no usable answer, with the reason in plain words."""

    fix = ""
    origin: tuple[str, str, int] | None = None
    """Who was asked."""

    def __init__(self, words: str, *, reached: bool = True) -> None:
        super().__init__(words)
        self.reached = reached
        """Whether there was a connection."""


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


class Line:
    """The connections of one thread; they are kept for the next exchange."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._pools: dict[tuple[str, str, int | None, bool], urllib3.HTTPConnectionPool] = {}
        self._proxies: dict[tuple[Proxy, str, bool], urllib3.ProxyManager] = {}

    def close(self) -> None:
        """Close all connections; what is under way in another thread is closed when it ends."""
        for pool in tuple(self._pools.values()):
            pool.close()
        for manager in tuple(self._proxies.values()):
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
        exchange = WATCH.begin(patience.request, min(patience.connect, patience.request))
        answer: Any = None  # a Head, where urllib3 promises what it would have made of it
        try:
            opened, target = self._way(proxy, url, scheme, certified=certified)
            answer = opened.urlopen(
                request.method,
                target,
                body=content,
                headers=_headers_of(request, kind),
                redirect=False,
                retries=ONCE,
                timeout=min(patience.read, patience.request),
                preload_content=False,
            )
            if answer.status == 407 and proxy and scheme == "http":
                raise refused(proxy, "407")
            coding = answer.headers.get("content-encoding", "")
            body = _whole(_unpacked(answer.pieces(heed), coding), most_bytes)
            if exchange.is_over:  # what was shut down ends as if it were whole
                raise _late(patience)
            found, answer = Answer(answer.status, answer.headers, body), None
            return found
        except LocationValueError:
            raise _no_address(url) from None
        except (HTTPError, HTTPException, OSError, zlib.error) as error:
            raise _broken(error, exchange, patience, proxy, host) from None
        finally:
            WATCH.end(exchange)
            if answer is not None:  # not read to its end
                answer.give_up()

    def _way(
        self, proxy: Proxy | None, url: str, scheme: str, *, certified: bool
    ) -> tuple[urllib3.ProxyManager | urllib3.HTTPConnectionPool, str]:
        """What asks for an address, and the address as it is told to that."""
        context = self._trust.context(certified=certified) if scheme == "https" else None
        if proxy is None:
            plain = PLAIN.fullmatch(url)
            parts = _parsed(plain[1]) if plain else parse_url(url)
            place = (scheme, parts.host or "", parts.port, certified)
            pool = self._pools.pop(place, None) or pool_of(*place[1:3], context)
            self._pools[place] = pool
            if len(self._pools) > MOST_IDLE:  # the first is the one that was used longest ago
                self._pools.pop(next(iter(self._pools))).close()
            return pool, plain[2] if plain else parts.request_uri
        manager = self._proxies.get((proxy, scheme, certified))
        if manager is None:
            manager = urllib3.ProxyManager(
                proxy.address, num_pools=MOST_IDLE, proxy_headers=dict(proxy.header), ssl_context=context
            )
            manager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}
            self._proxies[proxy, scheme, certified] = manager
        return manager, url


def _place(url: str) -> tuple[str, str]:
    """Scheme and host of an address; raises ConfigError for what is no address."""
    found = _server("/".join(url.split("/", 3)[:3]))
    if found is None:
        raise _no_address(url)
    return found


@lru_cache(maxsize=1024)
def _server(address: str) -> tuple[str, str] | None:
    """Scheme and host of what stands before a path; None where it is no address."""
    with suppress(ValueError):
        parts = urlsplit(address)
        if parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0):
            return parts.scheme, parts.hostname
    return None


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
    if exchange.is_over:
        return _late(patience)
    shown = f"the proxy {proxy.shown}" if proxy else host
    if isinstance(error, ProxyError) and str(error.original_error).startswith("Tunnel connection failed: ") and proxy:
        return refused(proxy, str(error.original_error).partition(": ")[2])
    cause = error.original_error if isinstance(error, ProxyError) else error
    if isinstance(cause, NewConnectionError):  # before what it is a kind of: a timeout
        if isinstance(cause.__cause__, ConnectionRefusedError):
            return Broken(f"no connection to {shown}: it was refused", reached=False)
        return Broken(f"no connection to {shown} ({cause.__cause__ or cause})", reached=False)
    if isinstance(cause, ConnectTimeoutError | TimeoutError | ReadTimeoutError) and not exchange.is_sent:
        seconds = min(patience.connect, patience.request)
        return Late(f"no connection to {shown} within {seconds:g} s", reached=False)
    if isinstance(cause, ReadTimeoutError | TimeoutError):
        return Late(f"nothing came for {patience.read:g} s") if patience.read < patience.request else _late(patience)
    if isinstance(cause, zlib.error):
        return Broken("the answer's compression is damaged")
    if isinstance(cause, SSLError | OSError) and (told := untrusted(cause, host)):
        return told
    inner = cause if isinstance(cause, HTTPException) else cause.__cause__ or cause.__context__ or cause
    if isinstance(inner, IncompleteRead):
        return Broken("the answer is cut off")
    words = str(inner) if type(inner) is HTTPException else type(inner).__name__  # those of our own say what they mean
    return Broken(f"the connection broke ({words})")


def _late(patience: Patience) -> Late:
    return Late(f"no whole answer within {patience.request:g} s")


def refused(proxy: Proxy, words: str) -> Broken | CollectionError:
    """What to raise for an answer that is the proxy's own; `words` begin with its status."""
    if words.startswith("407"):
        fix = f"set its user: connection.proxy: http://${{secret.proxy_user}}:${{secret.proxy_password}}@{proxy.shown}"
        return CollectionError(f"the proxy {proxy.shown} wants to know who asks (status 407)", fix)
    return Broken(f"the proxy {proxy.shown} refused with {words.strip()}")


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
    for part in filter(None, parts):
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
