"""A certificate of the client in the TLS handshake, alone or beside another sign-in."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Self

from pydantic import Field

from engine.core.credential import Credential
from engine.core.kinds import Auth, Certificate, Moment, Renewal, Token, reveal
from engine.core.values import Secret
from engine.core.wire import Page, Request


class Mtls(Auth):
    """Shows a certificate when the connection is made; what else signs the requests stands below `and`.

    The simulator is asked without TLS, so it sees no certificate. Source: RFC 8446 section 4.4.2.

    Misbehaving: A vendor that refuses the certificate breaks the connection, which is tried again as any broken one
    and then named; the rest is as with the sign-in below `and`.

    Example:
        secrets:
          certificate: { env: ACME_CERTIFICATE, or_path: true }
          key: { env: ACME_PRIVATE_KEY, or_path: true }
          token: { env: ACME_TOKEN }
        connection:
          base_url: https://api.example.com
          auth:
            mtls:
              certificate: ${secret.certificate}
              key: ${secret.key}
              and: { bearer: { token: "${secret.token}" } }
    """

    certificate_: Credential = Field(
        alias="certificate", description="The certificate with those that signed it (PEM), from a secret."
    )
    key: Credential | None = Field(
        None, description="Its private key (PEM), from a secret; needless where it stands beside the certificate."
    )
    password: Credential | None = Field(None, description="The password of the private key, from a secret.")
    and_: Auth | None = Field(None, alias="and", description="How the requests are signed besides; not unless said.")

    def certificate(self) -> Certificate:
        """The certificate and its key."""
        pieces = (None if one is None else Secret(reveal(one)) for one in (self.certificate_, self.key, self.password))
        return Certificate(*pieces)  # type: ignore[arg-type]  # a certificate is there

    def members(self) -> Sequence[Auth]:
        """The sign-ins beside the certificate; without one it stands for itself."""
        return self.and_.members() if self.and_ else (self,)

    def renew(self, on: Renewal) -> Generator[Request, Page, Token]:
        """What the other sign-in asks."""
        return (yield from self.and_.renew(on)) if self.and_ else (yield from super().renew(on))

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request as the other sign-in signs it."""
        return self.and_.sign(request, token, at) if self.and_ else request

    def hosts(self) -> Sequence[str]:
        """What the other sign-in asks."""
        return self.and_.hosts() if self.and_ else ()

    def at(self, base_url: str) -> Self:
        """The same with the address that the other sign-in needs."""
        return self.model_copy(update={"and_": self.and_.at(base_url)}) if self.and_ else self

    # --- the vendor's side

    def admit(self, request: Request, now: float) -> bool:
        """Whether the other sign-in admits it; certificates are a matter of TLS."""
        return self.and_ is None or self.and_.admit(request, now)

    def challenge(self, request: Request, now: float) -> Mapping[str, str]:
        """The challenge of the other sign-in."""
        return self.and_.challenge(request, now) if self.and_ else {}

    def grant(self, request: Request, now: float) -> Page | None:
        """The answer of the other sign-in."""
        return self.and_.grant(request, now) if self.and_ else None

    def rehearse(self, url: str) -> Self:
        """The same with the other sign-in's credentials made up."""
        return self.model_copy(update={"and_": self.and_.rehearse(url)}) if self.and_ else self
