"""How requests are signed: what a sign-in is asked, and what it gives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from engine.core.kinds.part import Part
from engine.core.values import Secret
from engine.core.wire import Page, Request


@dataclass(frozen=True)
class Token:
    """What a sign-in gave; `renew_at` is in seconds since the epoch, infinity when it does not expire."""

    value: Secret = field(default_factory=lambda: Secret(""))
    renew_at: float = float("inf")
    keep: Secret | None = None
    """What the next sign-in needs and the page does not have, such as a rotated refresh token: kept before it is used,
    also over runs."""


@dataclass(frozen=True)
class Renewal:
    """The occasion of a sign-in."""

    now: float
    """In seconds since the epoch."""
    nonce: str = ""
    """A random text that no other sign-in has."""
    kept: Secret | None = None
    """What the last sign-in asked to keep."""
    refused: Page | None = None
    """The 401 that made it necessary; None for the first."""


@dataclass(frozen=True)
class Moment:
    """When a request is signed."""

    now: float
    """In seconds since the epoch."""
    nonce: str = ""
    """A random text that no other request has."""
    count: int = 1
    """How many requests were signed with this token, this one included."""


@dataclass(frozen=True)
class Certificate:
    """What a client shows of itself in the TLS handshake: PEM texts, or paths of files that hold them."""

    certificate: Secret
    key: Secret | None = None
    """None where the key stands in the certificate's file."""
    password: Secret | None = None


class Auth(Part):
    """How requests are signed. Renewals are shared by all threads; the flow asks for them."""

    kind: ClassVar[str] = "auth"
    renewable: ClassVar[bool] = False
    """Whether a 401 is worth a new sign-in."""

    def renew(self, on: Renewal) -> Generator[Request, Page, Token]:
        """Yield the requests of a sign-in, be sent their pages, return the token; nothing to ask by default."""
        yield from ()
        return Token()

    def passing(self, refused: Page) -> bool:
        """Whether a 401 refuses nothing but the token's age, so that it does not count as the one that is allowed."""
        return False

    def keeps(self) -> Secret | None:
        """The setting that `Token.keep` stands for from then on; another one on the page ends what was kept."""
        return None

    @abstractmethod
    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request as it is sent: nothing changes it afterwards, so its address and body may be signed."""

    @abstractmethod
    def admit(self, request: Request, now: float) -> bool:
        """The vendor's side: is this request signed as it should be."""

    def challenge(self, request: Request, now: float) -> Mapping[str, str]:
        """The vendor's side: the headers of a 401, such as `WWW-Authenticate`."""
        return {}

    def grant(self, request: Request, now: float) -> Page | None:
        """The vendor's side of a sign-in: the answer to a token request, None when it is no such request."""
        return None

    def hosts(self) -> Sequence[str]:
        """Addresses other than the API's own that sign-in asks."""
        return ()

    def at(self, base_url: str) -> Self:
        """The same sign-in, where it needs the API's own address."""
        return self

    def certificate(self) -> Certificate | None:
        """What the client shows of itself in the TLS handshake."""
        return None

    def members(self) -> Sequence[Auth]:
        """The sign-ins that share the work, each with tokens and limits of its own."""
        return (self,)

    def limit(self) -> str | None:
        """The rate limit that belongs to this sign-in's token: `5000/h`."""
        return None

    def rehearse(self, url: str) -> Self:
        """The same sign-in with made-up credentials, its token endpoint below this address: for the simulator."""
        return self
