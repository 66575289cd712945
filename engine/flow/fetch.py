"""The only door to the network: a request goes out signed, limited, fenced and tried again; a page comes back."""

from __future__ import annotations

import base64
import re
import ssl
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote, quote_plus, urlencode, urljoin, urlsplit

import httpx2

from engine.core import jsontext
from engine.core.clock import Clock
from engine.core.errors import CollectionError, ConfigError
from engine.core.events import Sink, Waiting
from engine.core.kinds import Auth, Token
from engine.core.settle import inside
from engine.core.values import Secret
from engine.core.wire import Page, Request, origin, request_to
from engine.flow.limits import Limiter, reserve
from engine.flow.retry import STATUSES, Policy, retry_after_seconds

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
SHORTEST_CREDENTIAL = 8
"""What is shorter stands in other words as well."""
LASTING = frozenset({400, 401, 403})
"""The statuses with which a sign-in is refused for good; any other may pass."""
SENDABLE = re.compile(r"[\t\x20-\x7e]*")
NOT_SENDABLE = "has a letter or a line break that no header can hold"
HEADERS = {"User-Agent": "engine", "Accept": "application/json"}


@dataclass
class Session:
    """One sign-in, shared by all threads: a renewal is asked for once, whoever needs it first."""

    auth: Auth
    _token: Token | None = None
    _hidden: frozenset[bytes] | None = None
    _refusal: CollectionError | ConfigError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self, ask: Callable[[Request], Page], now: float) -> Token:
        """The current token, renewed where it is missing or about to expire; raises what a refused sign-in raised."""
        with self._lock:
            if self._refusal:
                raise self._refusal
            if self._token is None or now >= self._token.renew_at:
                try:
                    self._token = _drive(self.auth.renew(now), ask)
                except (CollectionError, ConfigError) as error:
                    if isinstance(error, ConfigError) or error.context.get("status") in LASTING:
                        self._refusal = error
                    raise
                self._hidden = self._kept_back() | _spellings(self._token.value)
            return self._token

    def masked(self, page: Page) -> Page:
        """An answer without the secrets that sign the requests: some vendors repeat them."""
        body = page.body
        for word in self._kept_back():
            body = body.replace(word, b"***") if word in body else body
        return page if body is page.body else replace(page, body=body)

    def _kept_back(self) -> frozenset[bytes]:
        """What no answer may hold: the page's secrets, and each token that was given."""
        if self._hidden is None:
            self._hidden = frozenset[bytes]().union(*map(_spellings, inside(self.auth, Secret)))
        return self._hidden

    def forget(self, token: Token) -> None:
        """The vendor refused this token; the next caller renews it, unless somebody already has."""
        with self._lock:
            if self._token is token:
                self._token = None


def _spellings(secret: Secret) -> frozenset[bytes]:
    """A secret as an answer may repeat it: as it is, in JSON, in an address, and in Base64."""
    text = secret.reveal()
    written = jsontext.write(text)[1:-1], quote(text, safe="").encode(), quote_plus(text).encode()
    encoded = base64.b64encode(text.encode()).rstrip(b"=")
    found = frozenset({text.encode(), *written, written[0].replace(b"/", rb"\/"), encoded})
    return found if len(text) >= SHORTEST_CREDENTIAL else frozenset()


def _drive(steps: Generator[Request, Page, Token], ask: Callable[[Request], Page]) -> Token:
    try:
        request = next(steps)
        while True:
            request = steps.send(ask(request))
    except StopIteration as end:
        token: Token = end.value
        return token


@dataclass(frozen=True)
class Route:
    """How the requests of one endpoint go out."""

    endpoint: str
    session: Session | None
    limiters: Sequence[Limiter]
    hosts: frozenset[str]
    """Hosts that may be asked; a next link or redirect to any other is refused."""
    timeout_seconds: float
    max_bytes: int
    real_path: str = ""
    """How to set the address, where it is only assumed."""


class _Broken(Exception):
    """A try that brought no usable answer, with the reason in plain words."""


class _TooLarge(Exception):
    """An answer larger than the page allows."""


class Fetcher:
    """Sends requests. One HTTP client per thread; a client shared by threads or made per request is slower."""

    def __init__(
        self, clock: Clock, emit: Sink, *, policy: Policy | None = None, reach: Callable[[str], str] | None = None
    ) -> None:
        self._clock, self._emit, self._policy = clock, emit, policy or Policy()
        self._reach = reach or (lambda url: url)
        self._local = threading.local()
        self._clients: list[httpx2.Client] = []

    def close(self) -> None:
        """Close the connections of all threads."""
        for client in self._clients:
            client.close()

    def fetch(self, request: Request, route: Route) -> Page:
        """The answer to a request, whatever its status, once the tries are used up on those worth a new try.

        Raises CollectionError when no answer came, when it never became JSON, or when a redirect leads to a host that
        is not allowed.
        """
        page = self._tries(request, route, signed=True)
        if page.status == 401 and route.session and route.session.auth.renewable:
            page = self._tries(request, route, signed=True)
        return page

    def _tries(self, request: Request, route: Route, *, signed: bool) -> Page:
        waited, attempt = 0.0, 0
        while True:
            attempt += 1
            page: Page | None = None
            problem = ""
            try:
                page = self._follow(request, route, signed=signed)
                if page.status not in STATUSES:
                    _must_be_json(page)
                    return page
                problem = f"status {page.status}"
            except _Broken as error:
                problem = str(error)
            now = self._clock.now()
            named = retry_after_seconds(page.headers.get("retry-after"), now) if page else None
            wait = self._policy.wait_seconds(attempt, waited, self._clock.random(), named)
            if wait is None:
                if page is not None and page.status in STATUSES:
                    return replace(page, tries=attempt)
                raise _gave_up(request, problem, attempt, route.real_path)
            waited += 0.0 if named is not None else wait
            self._pause(route, wait, f"{problem}, try {attempt + 1}")

    def _pause(self, route: Route, seconds: float, why: str) -> None:
        if seconds > 0:
            self._emit(Waiting(route.endpoint, seconds, why))
            self._clock.wait(seconds)

    def _follow(self, request: Request, route: Route, *, signed: bool) -> Page:
        """One try, through redirects to allowed hosts; a redirect to another origin goes on without sign-in."""
        home = request.origin
        asked = request
        for _ in range(MOST_REDIRECTS + 1):
            if signed and route.session:  # a sign-in takes its time, and a place that was taken before would be late
                self._token(route.session, route)
            self._pause(route, reserve(route.limiters, self._clock.now()), "rate limit")
            try:
                page = self._exchange(asked, route, signed=signed and asked.origin == home)
            except _TooLarge:  # told of the request as it was before signing, which may put a key into the query
                raise CollectionError(
                    f"{request.describe()}: the answer is larger than {route.max_bytes:,} bytes",
                    "ask for smaller pages, or raise connection.max_page",
                    context={"request": request.describe()},
                ) from None
            if page.status not in REDIRECTS or "location" not in page.headers:
                page = replace(page, request=request)
                return route.session.masked(page) if signed and route.session else page
            asked = self._redirected(asked, page, route)
            if not signed and asked.origin != home:
                raise CollectionError(
                    f"the sign-in at {request.url} redirects to another address, which would get the credentials",
                    "correct the address of the sign-in",
                )
        raise _Broken(f"more than {MOST_REDIRECTS} redirects")

    def _redirected(self, asked: Request, page: Page, route: Route) -> Request:
        try:
            target = urljoin(asked.url, page.headers["location"])
            # Told without its query: some vendors repeat there the key that they were asked with.
            fence(target, route.hosts, replace(asked, query=()), "a redirect")
        except ValueError:
            raise _Broken("a redirect to what is no address") from None
        if page.status in (307, 308):
            return request_to(asked.method, target, body=asked.body, form=asked.form, header=asked.header)
        return request_to("GET", target, header=asked.header)

    def _exchange(self, request: Request, route: Route, *, signed: bool) -> Page:
        session = route.session
        if not signed or session is None:
            return self._send(request, route)
        token = self._token(session, route)
        ready = session.auth.sign(request, token)
        if (header := _unsendable(ready)) and header != _unsendable(request):
            raise _no_header(session.auth, *header)
        page = self._send(ready, route)
        if page.status == 401:
            session.forget(token)
        return page

    def _token(self, session: Session, route: Route) -> Token:
        return session.token(lambda ask: self._sign_in(ask, route), self._clock.now())

    def _sign_in(self, request: Request, route: Route) -> Page:
        """Ask for a token; its request holds credentials, so a redirect of it stays at its address."""
        own = replace(route, limiters=(), hosts=frozenset({request.origin[1]}))
        return self._tries(request, own, signed=False)

    def _send(self, request: Request, route: Route) -> Page:
        client = self._client()
        if header := _unsendable(request):
            raise CollectionError(f"{request.describe()}: the header {header[0]} {NOT_SENDABLE}", "correct its value")
        try:
            with client.stream(
                request.method,
                self._reach(request.url),
                params=list(request.query) or None,
                headers=_headers(request),
                content=_content(request),
                timeout=route.timeout_seconds,
            ) as answer:
                body = self._read(answer, route)
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Page(request, answer.status_code, headers, body)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
            raise ConfigError(f"{request.url} is no web address", "check base_url and the endpoint's path") from None
        except httpx2.TimeoutException:
            raise _Broken(f"no answer within {route.timeout_seconds:g} s") from None
        except httpx2.ConnectError as error:
            raise _Broken(f"no connection to {urlsplit(request.url).hostname} ({error})") from None
        except httpx2.TransportError as error:
            raise _Broken(f"the connection broke ({type(error).__name__})") from None
        except httpx2.DecodingError:
            raise _Broken("the answer's compression is damaged") from None

    def _read(self, answer: httpx2.Response, route: Route) -> bytes:
        """The body; the HTTP client's own timeout begins anew with each drop of a slow one."""
        parts, size, deadline = [], 0, self._clock.now() + route.timeout_seconds
        for part in answer.iter_bytes():
            self._clock.wait(0)  # a stop is heard here, too
            size += len(part)
            if size > route.max_bytes:
                raise _TooLarge
            if self._clock.now() > deadline:
                raise _Broken(f"no whole answer within {route.timeout_seconds:g} s")
            parts.append(part)
        return b"".join(parts)

    def _client(self) -> httpx2.Client:
        client: httpx2.Client | None = getattr(self._local, "client", None)
        if client is None:
            client = httpx2.Client(follow_redirects=False, verify=_trust(), headers=HEADERS, cookies=_no_cookies())
            self._local.client = client
            self._clients.append(client)
        return client


def _unsendable(request: Request) -> tuple[str, str] | None:
    """The first header that cannot be sent. Source: RFC 9110 section 5.5, without its obsolete letters."""
    return next(((name, text) for name, text in request.header if not SENDABLE.fullmatch(text)), None)


def _no_header(auth: Auth, name: str, text: str) -> ConfigError:
    """The refusal of a sign-in whose header cannot be sent: it names the secret, and not what is in it."""
    secret = next((one.name for one in inside(auth, Secret) if one.reveal() in text), "")
    what = f'secret "{secret}"' if secret else f"the header {name} of the sign-in"
    return ConfigError(f"{what} {NOT_SENDABLE}", "set it again, without accents and line breaks")


def _no_cookies() -> CookieJar:
    """A jar that keeps nothing: what is sent must not depend on what another request of this thread was answered."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    """The system's certificates, read once: 58 ms that a client of its own would spend in each thread."""
    return httpx2.create_ssl_context()


def fence(url: str, hosts: frozenset[str], asked: Request, what: str) -> None:
    """Raise CollectionError when an address leads to a host that is not allowed, or out of TLS."""
    scheme, host, _ = origin(url)
    if host not in hosts or scheme not in ("http", "https"):
        raise CollectionError(
            f"{what} leads to {host or url}, which is not allowed",
            f"if the vendor really does that, add it: connection.allow_hosts: [{host}]",
            context={"request": asked.describe()},
        )
    if asked.origin[0] == "https" and scheme == "http":
        raise CollectionError(f"{what} leads from https to http at {host}", "", context={"request": asked.describe()})


def _headers(request: Request) -> Mapping[str, str]:
    if request.body is None:
        return dict(request.header)
    kind = "application/x-www-form-urlencoded" if request.form else "application/json"
    return {"Content-Type": kind, **dict(request.header)}


def _content(request: Request) -> bytes | None:
    if request.body is None:
        return None
    if request.form:
        return urlencode(request.body, doseq=True).encode()
    return jsontext.write(request.body)


def _must_be_json(page: Page) -> None:
    """A good status with a body that is HTML, empty or cut off is worth a new try."""
    if not 200 <= page.status < 300 or page.status == 204:
        return
    body = page.body.lstrip()
    if not body:
        raise _Broken("an empty answer")
    if body.startswith(b"<"):
        raise _Broken("HTML instead of JSON")
    if not jsontext.is_whole(body):
        if flaw := jsontext.flaw(body):  # the next try would bring the same
            raise CollectionError(f"{page.request.describe()}: the answer is {flaw}", "report it to the vendor")
        raise _Broken("an answer that is not whole JSON")


def _gave_up(request: Request, problem: str, attempts: int, real_path: str) -> CollectionError:
    return CollectionError(
        f"{request.describe()}: {problem}, after {attempts} tries",
        f"try again later; if it stays, {real_path or 'check base_url and whether the vendor is reachable from here'}",
        context={"request": request.describe()},
    )
