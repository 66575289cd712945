"""The only door to the network: a request goes out signed, limited, fenced and tried again; a page comes back."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import urljoin

from engine.core.clock import Clock
from engine.core.errors import CollectionError, ConfigError
from engine.core.events import Sink, Waiting
from engine.core.kinds import Auth, Token, TooLarge, Undecodable
from engine.core.select import Taking
from engine.core.settle import inside
from engine.core.values import Secret
from engine.core.wire import Page, Request, request_to
from engine.flow.answer import verdict
from engine.flow.fence import fence
from engine.flow.gate import Gate
from engine.flow.hosts import Hosts
from engine.flow.learn import used_up_until
from engine.flow.limits import Deadline, Limiter, reserve
from engine.flow.line import Broken, Late, Line, Patience
from engine.flow.retry import LONGEST_SECONDS, PUSHING, STATUSES, Policy, retry_after_seconds, ruled
from engine.flow.session import Pool, Session
from engine.flow.trust import Trust
from engine.flow.unpack import looked_through, unpacker
from engine.spec.answers import Decode, RenewAuth, Response, Retry, Wait
from engine.spec.collect import Learn

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
SENDABLE = re.compile(r"[\t\x20-\x7e]*")
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
NOT_SENDABLE = "has a letter or a line break that no header can hold"
SLACK_SECONDS = 0.001
"""What the clock may have moved while a place was taken."""
RULED = "the page's rules say to ask again"


@dataclass(frozen=True)
class Route:
    """How the requests of one endpoint go out."""

    endpoint: str
    session: Pool | None
    limiters: Sequence[Limiter]
    hosts: frozenset[str]
    """Hosts that may be asked, or `*.host`; a next link or redirect to any other is refused."""
    patience: Patience
    max_bytes: int
    origins: frozenset[tuple[str, str, int]] = frozenset()
    """The scheme, host and port of what the page itself names."""
    real_path: str = ""
    """How to set the address, where it is only assumed."""
    responses: Sequence[Response] = ()
    """The page's own rules."""
    unpack: Callable[[Page], Page] | None = None
    """Makes JSON of an answer; raises Undecodable. None where it is JSON."""
    taking: Taking | None = None
    """Takes what is needed of an answer at once."""
    learn: Learn | Literal["standard", "off"] = "off"
    hold: Limiter = field(default_factory=Limiter)
    """Holds back all requests of the connection while the vendor asks for it."""
    gate: Gate | None = None
    is_sign_in: bool = False
    """Whether its requests ask for a token, and so hold credentials."""
    in_tls: bool = False
    """Whether the API is asked in TLS, so that no next link may lead out of it."""
    steps: Mapping[str, Sequence[Limiter]] = field(default_factory=dict)
    """The limits of a job's requests: create, poll, locate, fetch."""

    def of_step(self, word: str) -> Route:
        """The same for a request of a job, whose answer is JSON."""
        return replace(self, unpack=None, taking=None, limiters=(*self.limiters, *self.steps.get(word, ())))

    def of_files(self, decode: Decode | None, teller: Page | None, *, signed: bool) -> Route:
        """The same for the files of a job, which the `teller` names."""
        session = self.session if signed else None
        found = replace(self.of_step("fetch"), unpack=self.unpack, taking=self.taking, session=session)
        return found if decode is None else replace(found, unpack=unpacker(decode, self.max_bytes, teller))


Signer = tuple[Session, Token]


@dataclass
class _Try:
    """How one try of a request went."""

    page: Page | None = None
    problem: str = ""
    """Why its answer is not to be taken, in words; empty where nothing is wrong."""
    fix: str = ""
    signer: Signer | None = None
    unreached: tuple[str, str, int] | None = None
    """To whom there was no connection."""
    elsewhere: bool = False
    """Whether another sign-in may go on at once where this one was pushed back."""


@dataclass
class _Tries:
    """How often a request was tried, and what was done for it."""

    made: int = 0
    waited: float = 0.0
    """Seconds of our own choice."""
    renewed: bool = False
    pushed: list[Session] = field(default_factory=list)
    """The sign-ins that were pushed back for it."""


class Fetcher:
    """Sends requests, each thread over connections of its own."""

    def __init__(
        self,
        clock: Clock,
        emit: Sink,
        *,
        trust: Trust | None = None,
        deadline: Deadline | None = None,
        policy: Policy | None = None,
        reach: Callable[[str], str] | None = None,
    ) -> None:
        self._clock, self._emit, self._policy = clock, emit, policy or Policy()
        self._trust, self._deadline = trust or Trust(), deadline or Deadline()
        self._reach = reach or (lambda url: url)
        self._hosts = Hosts(clock.now)
        self._local = threading.local()
        self._lines: list[Line] = []

    def close(self) -> None:
        """Close the connections of all threads."""
        for line in self._lines:
            line.close()

    def fetch(self, request: Request, route: Route) -> Page:
        """The answer to a request, whatever its status, once the tries are used up on those worth a new try.

        The page's own rules come first: an answer for which one says anything but to ask again is given back at once.

        Raises CollectionError when no answer came in time, when it never became JSON, when a rule says to ask again
        for ever, when it leads to a host that is not allowed, or when others tried in vain to reach the host.
        """
        if request.origin not in route.origins:  # it will be signed, so that no other port of the host will do
            fence(request.url, route.hosts, request, "the next request", in_tls=route.in_tls)
        self._hosts.check(request.origin, _asked(request, route))
        tries = _Tries()
        while True:
            tries.made += 1
            tried = self._once(request, route)
            wait = self._again(tried, route, tries)
            if wait is not None:
                self._pause(request, route, wait, f"{tried.problem}, try {tries.made + 1}")
            elif tried.page and not tried.problem:
                return tried.page
            elif tried.page and not 200 <= tried.page.status < 300:
                return replace(tried.page, tries=tries.made)
            else:
                if tried.unreached:
                    self._hosts.failed(tried.unreached, tried.problem)
                raise _gave_up(_asked(request, route), tried, tries.made, route.real_path)

    # --- whether to ask again

    def _again(self, tried: _Try, route: Route, tries: _Tries) -> float | None:
        """Seconds until the next try; None where the answer is taken as it is, and where the tries are used up."""
        page, now, chance = tried.page, self._clock.now(), self._clock.random()
        verb = verdict(route.responses, page) if page else None
        if page and isinstance(verb, Retry | Wait | RenewAuth):
            tried.problem = tried.problem or RULED
            tried.fix = tried.fix or "correct the rule in responses, or raise its times"
            if isinstance(verb, RenewAuth):
                return self._renewing(tried, tries)
            wait = ruled(verb, page, tries.made, chance, now)
            if wait and isinstance(verb, Wait) and page.status in PUSHING:
                self._hold(tried, route, now + wait)
            return wait
        if verb or not tried.problem:
            tried.problem = ""
            return None
        if tried.elsewhere and tried.signer and tried.signer[0] not in tries.pushed:  # each once, or it has no end
            tries.pushed.append(tried.signer[0])
            tries.made -= 1
            return 0.0
        named = retry_after_seconds(page.headers.get("retry-after"), now) if page else None
        wait = self._policy.wait_seconds(tries.made, tries.waited, chance, named)
        tries.waited += wait or 0.0 if named is None else 0.0
        return wait

    def _renewing(self, tried: _Try, tries: _Tries) -> float | None:
        if tries.renewed or tried.signer is None:
            return None
        tries.renewed = True
        session, token = tried.signer
        session.forget(token, tried.page)
        return 0.0

    def _hear(self, tried: _Try, page: Page, route: Route) -> None:
        """Hold the others back where the vendor says until when it wants no more requests."""
        now = self._clock.now()
        until = used_up_until(route.learn, page, now)
        pushes = page.status in PUSHING or (page.status == 403 and not route.is_sign_in)
        named = retry_after_seconds(page.headers.get("retry-after"), now) if pushes else None
        if named:
            until = max(until or 0.0, now + min(named, LONGEST_SECONDS))
        if until and page.status == 403:
            tried.problem = "status 403, and no requests are left"
        if until:
            self._hold(tried, route, until)

    def _hold(self, tried: _Try, route: Route, until: float) -> None:
        if route.session and tried.signer:
            tried.elsewhere = route.session.push_back(tried.signer[0], until)
        else:
            route.hold.hold(until)

    def _pause(self, request: Request, route: Route, seconds: float, why: str) -> None:
        if self._clock.now() + seconds > self._deadline.at:
            raise self._deadline.passed(_asked(request, route))
        if seconds > 0:
            self._emit(Waiting(route.endpoint, seconds, why))
            self._clock.wait(seconds)

    # --- one try

    def _once(self, request: Request, route: Route) -> _Try:
        tried = _Try()
        try:
            page, tried.signer = self._follow(request, route)
            self._hear(tried, page, route)
            tried.page = page
            if page.status in STATUSES:
                tried.problem = f"status {page.status}"
            elif 200 <= page.status < 300:
                tried.page = self._unpacked(page, route, tried.signer)
                if not _is_cookie(tried.page, route):
                    tried.page = looked_through(tried.page, route.taking)
        except TooLarge:  # told of the request as it was before signing, which may put a key into the query
            text = f"{_asked(request, route)}: the answer is larger than {route.max_bytes:,} bytes"
            fix = "ask for smaller pages, or raise connection.max_page"
            raise CollectionError(text, fix, context={"request": _asked(request, route)}) from None
        except Undecodable as error:
            tried.problem, tried.fix = str(error), route.real_path or error.fix
        except Broken as error:
            tried.problem, tried.fix = str(error), error.fix
            tried.unreached = None if error.reached else error.origin
        return tried

    def _unpacked(self, page: Page, route: Route, signer: Signer | None) -> Page:
        if route.unpack is None:
            return page
        page = route.unpack(page)
        masked = signer[0].masked(page) if signer else page
        # The bytes received hold the secret where nobody sees it: then what is kept is the JSON.
        return page if masked is page else replace(masked, received=None, coding=None)

    def _follow(self, request: Request, route: Route) -> tuple[Page, Signer | None]:
        """One answer, through redirects to allowed hosts; to another origin they go on without sign-in."""
        home = request.origin
        asked, cookies = request, False
        for _ in range(MOST_REDIRECTS + 1):
            page, signer = self._exchange(asked, route, at_home=asked.origin == home)
            if page.status not in REDIRECTS or "location" not in page.headers or _is_cookie(page, route):
                page = page if asked is request else replace(page, request=request)
                return (signer[0].masked(page) if signer else page), signer
            asked, cookies = self._redirected(asked, page, route), cookies or "set-cookie" in page.headers
            if route.is_sign_in and asked.origin != home:
                raise CollectionError(
                    f"{_asked(request, route)} redirects to another address, which would get the credentials",
                    "correct the address of the sign-in",
                )
        if cookies:  # the next try would be led around as well
            text = f"{_asked(request, route)}: more than {MOST_REDIRECTS} redirects, which set a cookie; none is kept"
            raise CollectionError(text, "sign in with connection.auth: login, read: cookies.NAME, send: cookie.NAME")
        raise Broken(f"more than {MOST_REDIRECTS} redirects")

    def _redirected(self, asked: Request, page: Page, route: Route) -> Request:
        try:
            target = urljoin(asked.url, page.headers["location"])
            # Told without its query: some vendors repeat there the key that they were asked with.
            own = frozenset(host for _, host, _ in route.origins)
            in_tls = asked.origin[0] == "https"
            fence(target, route.hosts | own, replace(asked, query=()), "a redirect", in_tls=in_tls)
        except ValueError:
            raise Broken("a redirect to what is no address") from None
        if page.status in (307, 308):
            return request_to(asked.method, target, body=asked.body, media=asked.media, header=asked.header)
        return request_to("GET", target, header=asked.header)

    def _exchange(self, request: Request, route: Route, *, at_home: bool) -> tuple[Page, Signer | None]:
        """One answer, and who signed its request; a 401 is asked again where that may help, unless a rule is for it."""
        pool = route.session if at_home else None
        before: list[Session] = []
        while True:
            session = self._placed(request, route, pool, before)
            if pool is None or session is None:
                return self._send(request, request, route, certified=at_home and route.is_sign_in), None
            token = session.token(lambda ask: self._sign_in(ask, route))
            ready = session.sign(request, token)
            if (header := _unsendable(ready)) and header != _unsendable(request):
                raise _no_header(session.auth, *header)
            page = self._send(ready, request, route, certified=True)
            if before and page.status < 400:
                pool.accepted(session, before)
            if page.status != 401 or (verdict(route.responses, page) and not session.auth.passing(page)):
                return page, (session, token)
            if not pool.refused(session, token, page, before, route.endpoint):
                return page, (session, token)

    def _placed(self, request: Request, route: Route, pool: Pool | None, before: Sequence[Session]) -> Session | None:
        """Wait for a place that all limits allow; gives the sign-in that it is for."""
        limiters = (route.hold, *route.limiters)
        while True:
            session, now = None, self._clock.now()
            if pool is None:
                wait = reserve(limiters, now)
            else:
                session, wait = pool.take(limiters, lambda ask: self._sign_in(ask, route), before)
            self._pause(request, route, wait, "rate limit")
            # somebody else may have been told meanwhile that nothing is to be asked for longer than that
            if max(route.hold.out_until, session.hold.out_until if session else 0.0) <= now + wait + SLACK_SECONDS:
                return session

    def _sign_in(self, request: Request, route: Route) -> Page:
        """Ask for a token; its request holds credentials, so a redirect of it stays at its address."""
        own = Route(route.endpoint, None, (), frozenset(), route.patience, route.max_bytes, is_sign_in=True)
        return self.fetch(request, replace(own, origins=frozenset({request.origin})))

    def _send(self, ready: Request, request: Request, route: Route, *, certified: bool) -> Page:
        """Send what is ready; the page is told of the request as it was before signing."""
        if header := _unsendable(ready):
            raise CollectionError(
                f"{_asked(request, route)}: the header {header[0]} {NOT_SENDABLE}", "correct its value"
            )
        gate, pushed_back = route.gate, False
        ticket = gate.enter(self._heed) if gate else 0
        try:
            left, patience = max(self._deadline.at - self._clock.now(), 0.0), route.patience
            patience = patience if patience.request <= left else replace(patience, request=left)
            address = self._reach(ready.full_url)
            answer = self._line().exchange(
                ready, address, patience, route.max_bytes, certified=certified, heed=self._heed
            )
            pushed_back = answer.status in PUSHING
        except Broken as error:
            pushed_back, error.origin = isinstance(error, Late), request.origin
            raise
        finally:
            if gate:
                gate.leave(ticket, pushed_back=pushed_back)
        self._hosts.reached(request.origin)
        return Page(request, answer.status, answer.headers, answer.body)

    def _heed(self) -> None:
        """Raise Stopped where the run shall end."""
        self._clock.wait(0)

    def _line(self) -> Line:
        line: Line | None = getattr(self._local, "line", None)
        if line is None:
            line = self._local.line = Line(self._trust)
            self._lines.append(line)
        return line


def _asked(request: Request, route: Route) -> str:
    """The request for a person; that of a sign-in may hold credentials in its query."""
    return f"the sign-in at {request.url}" if route.is_sign_in else request.describe()


def _unsendable(request: Request) -> tuple[str, str] | None:
    """The first header that cannot be sent. Source: RFC 9110 section 5.5, without its obsolete letters."""
    return next(
        ((name, text) for name, text in request.header if not (SENDABLE.fullmatch(text) and NAME.fullmatch(name))), None
    )


def _no_header(auth: Auth, name: str, text: str) -> ConfigError:
    """The refusal of a sign-in whose header cannot be sent: it names the secret, and not what is in it."""
    secret = next((one.name for one in inside(auth, Secret) if one.reveal() in text), "")
    what = f'secret "{secret}"' if secret else f"the header {name} of the sign-in"
    return ConfigError(f"{what} {NOT_SENDABLE}", "set it again, without accents and line breaks")


def _is_cookie(page: Page, route: Route) -> bool:
    """Whether a sign-in was answered with a cookie: then neither where it leads to nor what it shows matters."""
    return route.is_sign_in and "set-cookie" in page.headers and page.status not in (307, 308)


def _gave_up(asked: str, tried: _Try, times: int, real_path: str) -> CollectionError:
    fix = f"try again later; if it stays, {real_path or 'check base_url and whether the vendor is reachable from here'}"
    often = f", after {times} tries" if times > 1 else ""
    return CollectionError(f"{asked}: {tried.problem}{often}", tried.fix or fix, context={"request": asked})
