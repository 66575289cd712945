"""The sign-ins of a run, shared by all threads: each renewed once, however many requests wait for it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from engine.core.clock import Clock
from engine.core.credential import Credential
from engine.core.errors import CollectionError, ConfigError
from engine.core.kinds import Auth, Moment, Renewal, Token
from engine.core.settle import inside
from engine.core.values import Rate, Secret
from engine.core.wire import Page, Request
from engine.flow.hidden import Hidden, hidden, masked
from engine.flow.ledger import Ledger
from engine.flow.limits import Limiter, free_at, reserve

LASTING = frozenset({200, 201, 302, 303, 400, 401, 403})
"""The statuses with which a sign-in is refused for good, the good ones when they bring no token; others may pass."""
LISTEN_SECONDS = 0.2
"""How often somebody who waits for another's sign-in looks whether the run shall stop."""
MOST_PASSING = 5
"""So many 401 that refuse nothing, such as a nonce that is too old, does one request go through."""

LOSSLESS = ("utf-8", "surrogatepass")

Ask = Callable[[Request], Page]


@dataclass(frozen=True)
class Keeper:
    """Keeps over runs what the sign-ins of a tool ask to keep, such as a rotated refresh token."""

    ledger: Ledger
    tool: str

    def kept(self, auth: Auth) -> Secret | None:
        """What was kept last for what the page has now."""
        name = _kept_name(auth)
        text = self.ledger.kept(self.tool, name) if name else None
        return Secret(text, name or "") if text else None

    def keep(self, auth: Auth, value: Secret) -> None:
        """Keep it; it is safe when this returns."""
        if name := _kept_name(auth):
            self.ledger.keep(self.tool, name, value.reveal())


def _kept_name(auth: Auth) -> str | None:
    """A name that another setting on the page does not have, so that it ends what was kept."""
    setting = auth.keeps()
    return None if setting is None else f"{auth.word} {hashlib.sha256(setting.reveal().encode()).hexdigest()[:32]}"


@dataclass(eq=False)
class Session:
    """One sign-in: a token is asked for by whoever needs it first, and the others wait for that one."""

    auth: Auth
    clock: Clock
    keeper: Keeper | None = None
    limiters: Sequence[Limiter] = ()
    """The limits of its own token."""
    hold: Limiter = field(default_factory=Limiter)
    """Holds it back while the vendor asks for it."""
    in_vain: set[str] = field(default_factory=set)
    """The endpoints that refused a new token, too."""
    taken: int = 0
    """How many requests it was taken for."""
    _token: Token | None = None
    _signed: int = 0
    _kept: Secret | None = None
    _refused: Page | None = None
    _hidden: frozenset[Hidden] | None = None
    _refusal: CollectionError | ConfigError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def token(self, ask: Ask) -> Token:
        """The current token, renewed where it is missing or about to expire; raises what a refused sign-in raised."""
        with self._alone():
            if self._refusal:
                raise self._refusal
            if self._token is None or self.clock.now() >= self._token.renew_at:
                try:
                    self._token = self._renewed(ask)
                except (CollectionError, ConfigError) as error:
                    if isinstance(error, ConfigError) or error.context.get("status") in LASTING:
                        self._refusal = error
                    raise
                self._signed, self._refused = 0, None
            return self._token

    def sign(self, request: Request, token: Token) -> Request:
        """The request as it is sent."""
        with self._alone():
            self._signed += 1
            count = self._signed
        return self.auth.sign(request, token, Moment(self.clock.now(), self._nonce(), count))

    def forget(self, token: Token, refused: Page | None = None) -> None:
        """The vendor refused this token; the next caller renews it, unless somebody already has."""
        with self._alone():
            if self._token is token:
                self._token, self._refused = None, refused

    def masked(self, page: Page) -> Page:
        """An answer without the secrets that sign the requests: some vendors repeat them."""
        body = self.without(page.body)
        headers = {name: self.without(text.encode(*LOSSLESS)).decode(*LOSSLESS) for name, text in page.headers.items()}
        same = body == page.body and headers == page.headers
        return page if same else replace(page, body=body, headers=headers)

    def without(self, text: bytes) -> bytes:
        """A text without these secrets."""
        return masked(text, self._kept_back())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread at a time; raises Stopped also while another's sign-in hangs."""
        while not self._lock.acquire(timeout=LISTEN_SECONDS):
            self.clock.wait(0)
        try:
            yield
        finally:
            self._lock.release()

    def _renewed(self, ask: Ask) -> Token:
        if self._kept is None and self.keeper:
            self._kept = self.keeper.kept(self.auth)
        token = _drive(self.auth.renew(Renewal(self.clock.now(), self._nonce(), self._kept, self._refused)), ask)
        self._hidden = self._kept_back() | hidden(one for one in (token.value, token.keep) if one)
        if token.keep and token.keep != self._kept:
            self._kept = token.keep
            if self.keeper:  # before the token is used: what it replaced may be worth nothing from here on
                self.keeper.keep(self.auth, token.keep)
        return token

    def _nonce(self) -> str:
        return "".join(f"{int(self.clock.random() * 2**52):013x}" for _ in range(2))

    def _kept_back(self) -> frozenset[Hidden]:
        """What no answer may hold: the page's secrets, and each token that was given."""
        if self._hidden is None:
            self._hidden = hidden(_credentials(self.auth))
        return self._hidden


class Pool:
    """The sign-ins that share the work; mostly there is one.

    How a request uses it: `take` a session, wait, sign with its `token`, send; then tell `refused`, `accepted`
    or `push_back`.
    """

    def __init__(self, auth: Auth, clock: Clock, keeper: Keeper | None = None, *, limited: bool = True) -> None:
        self.auth, self.clock = auth, clock
        self.notes: list[str] = []
        """Which sign-ins were left out, and why."""
        self._all = [
            Session(one, clock, keeper, [Limiter(Rate.read(limit).per_second)] if limited and limit else ())
            for one in auth.members()
            for limit in [one.limit()]
        ]
        self._in = list(self._all)
        self._in_vain: set[str] = set()
        """The endpoints that refused every sign-in."""
        self._lock = threading.Lock()

    def take(self, limiters: Sequence[Limiter], ask: Ask, before: Sequence[Session] = ()) -> tuple[Session, float]:
        """The sign-in whose place is free soonest, and how many seconds it is until then; the place is taken.

        One that refused the request `before` is taken when there is no other.
        Signs in before: that takes its time, and a place that was taken before would be late.
        """
        for session in tuple(self._in):
            try:
                session.token(ask)
            except CollectionError as error:
                if error.context.get("status") not in LASTING or not self._left_out(session, error.message):
                    raise
        with self._lock:
            now = self.clock.now()
            others = [one for one in self._in if one not in before] or self._in
            session = min(others, key=lambda one: (max(now, free_at((one.hold, *one.limiters))), one.taken))
            session.taken += 1
            return session, reserve((*limiters, session.hold, *session.limiters), now)

    def refused(self, session: Session, token: Token, page: Page, before: list[Session], endpoint: str) -> bool:
        """Hear of a 401; gives whether the same request is worth another try, with a new token or another sign-in.

        `before` are the sessions whose 401 this request met already; this one is added. An endpoint that refuses a new
        token, too, or every sign-in, means itself: its other requests ask for no more.
        """
        times = before.count(session)
        before.append(session)
        if session.auth.renewable and not session.auth.passing(page):
            if times:
                session.in_vain.add(endpoint)
            if endpoint in session.in_vain:
                return self._another(before, endpoint)
        session.forget(token, page)
        if session.auth.renewable and times < (MOST_PASSING if session.auth.passing(page) else 1):
            return True
        return self._another(before, endpoint)

    def accepted(self, session: Session, before: Sequence[Session]) -> None:
        """Hear that a request was taken with this sign-in: those that refused it before are left out from here on."""
        for other in before:
            if other is not session:
                self._left_out(other, "status 401")

    def _another(self, before: Sequence[Session], endpoint: str) -> bool:
        """Whether there is a sign-in that did not refuse this request yet."""
        if all(one in before for one in self._in):
            self._in_vain.add(endpoint)
        return endpoint not in self._in_vain

    def without(self, text: bytes) -> bytes:
        """A text without the secrets of any sign-in."""
        for session in self._all:
            text = session.without(text)
        return text

    def push_back(self, session: Session, until: float) -> bool:
        """Take a session for nothing until then; gives whether another may go on at once.

        For a 429, and for a 403 that says that no requests remain.
        """
        session.hold.hold(until)
        return any(one.hold.out_until <= self.clock.now() for one in self._in)

    def _left_out(self, session: Session, why: str) -> bool:
        """Leave a session out for the rest of the run; gives whether another remains."""
        with self._lock:
            if session in self._in and len(self._in) > 1:
                self._in.remove(session)
                number = self._all.index(session) + 1
                self.notes.append(f"sign-in {number} of {len(self._all)} was left out: {why}")
            return session not in self._in


def _credentials(auth: Auth) -> Iterator[Secret]:
    """The secrets of a sign-in, but for names that only come from a secret: records may hold those, too."""
    for name, info in type(auth).model_fields.items():
        value = getattr(auth, name)
        if isinstance(value, Auth):
            yield from _credentials(value)
        elif not isinstance(value, Secret) or _may_hold(info.annotation, Credential):
            yield from inside(value, Secret)


def _may_hold(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_may_hold(one, kind) for one in get_args(annotation))


def _drive(steps: Generator[Request, Page, Token], ask: Ask) -> Token:
    try:
        request = next(steps)
        while True:
            request = steps.send(ask(request))
    except StopIteration as end:
        token: Token = end.value
        return token
