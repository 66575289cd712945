"""A user's name and password that are never sent: each request proves that its sender knows them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator, Iterator, Mapping
from typing import ClassVar, Self
from urllib.parse import quote, unquote

from pydantic import Field

from engine.core import jsontext
from engine.core.credential import Credential
from engine.core.errors import CollectionError
from engine.core.kinds import Auth, Moment, Renewal, Token, reveal
from engine.core.signing import target
from engine.core.template import Template
from engine.core.values import Secret
from engine.core.wire import Page, Request
from engine.parts.auth._oauth import AUTHORIZATION, holds, issued

HASHES = {"SHA-256": "sha256", "SHA-512-256": "sha512_256", "MD5": "md5"}
"""The best first, which is not what RFC 7616 asks for: some vendors name MD5 first out of habit."""
PARAMETER = re.compile(r'([\w*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,\s*|$)')
SCHEME = re.compile(r'"(?:[^"\\]|\\.)*"|(\w+)\s+(?=[\w*]+\s*=)')
"""A scheme, or a text in quotes that could look like one."""
UNQUOTED = ("algorithm", "qop", "nc", "userhash", "stale")
SIMULATED_LIFE_SECONDS = 300


class Digest(Auth):
    """Answers a vendor's challenge with a hash of name, password, method and address; the password is never sent.

    The first request goes out unsigned and is refused with the challenge; its nonce then serves all requests, each
    with its own count, until the vendor calls it stale. MD5, SHA-256 and SHA-512-256, also `-sess`; `qop` auth, or
    none as in RFC 2069. Source: RFC 7616, RFC 2617.

    Misbehaving: A nonce that is stale is replaced and counts as no refusal, five times for one request; a challenge
    that is no digest, or of an unknown kind, fails the run; wrong credentials are refused once more and fail the
    endpoint.

    Example:
        secrets:
          password: { env: ACME_PASSWORD }
        connection:
          base_url: https://api.example.com
          auth: { digest: { username: collector, password: "${secret.password}" } }
    """

    renewable: ClassVar[bool] = True

    username: Template = Field(description="The user, also from a secret.")
    password: Credential = Field(description="The password, from a secret.")

    def renew(self, on: Renewal) -> Generator[Request, Page, Token]:
        """The vendor's challenge as a token; raises CollectionError when there is none that can be answered."""
        yield from ()
        if on.refused is None:
            return Token()
        for challenge in _challenges(on.refused):
            if _usable(challenge):
                return Token(Secret(jsontext.write({**challenge, "cnonce": on.nonce}).decode(), "challenge"))
        raise CollectionError(
            "the vendor does not ask for digest in a way that is known here",
            f"look at WWW-Authenticate in its answer; known are {', '.join(HASHES)} with qop auth, or use another auth",
            context={"status": on.refused.status},
        )

    def passing(self, refused: Page) -> bool:
        """Whether only the nonce was too old."""
        return any(one.get("stale", "").lower() == "true" for one in _challenges(refused))

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with its proof; as it is while there is no challenge."""
        if not token.value.reveal():
            return request
        given = jsontext.read(token.value.reveal())
        user, said = reveal(self.username), {"realm": given["realm"], "nonce": given["nonce"], "uri": target(request)}
        if "auth" in _qops(given):
            said |= {"qop": "auth", "nc": f"{at.count:08x}", "cnonce": given["cnonce"]}
        elif given.get("algorithm", "").lower().endswith("-sess"):
            said |= {"cnonce": given["cnonce"]}
        said |= {name: given[name] for name in ("algorithm", "opaque") if name in given}
        said |= {"response": self._response(request.method, said)}
        if given.get("userhash", "").lower() == "true":
            said |= {"username": _hash(given, user, given["realm"]), "userhash": "true"}
        elif user.isascii():
            said |= {"username": user}
        else:
            said |= {"username*": f"UTF-8''{quote(user, safe='')}"}
        return request.put(AUTHORIZATION, "Digest " + ", ".join(_written(*pair) for pair in said.items()))

    def _response(self, method: str, said: Mapping[str, str]) -> str:
        """The proof. Source: RFC 7616 section 3.4."""
        one = _hash(said, reveal(self.username), said["realm"], reveal(self.password))
        if said.get("algorithm", "").lower().endswith("-sess"):
            one = _hash(said, one, said["nonce"], said["cnonce"])
        more = (said["nc"], said["cnonce"], said["qop"]) if "qop" in said else ()
        return _hash(said, one, said["nonce"], *more, _hash(said, method, said["uri"]))

    # --- the vendor's side

    def rehearse(self, url: str) -> Self:
        """The same sign-in: its secrets are made up like all others, and the vendor asks nobody."""
        return self

    def challenge(self, request: Request, now: float) -> Mapping[str, str]:
        """A new nonce; stale where the request is refused for nothing else."""
        said = _parameters(str(request.get(AUTHORIZATION) or "").removeprefix("Digest "))
        given = {"realm": "simulated", "qop": "auth", "algorithm": "SHA-256"}
        given["nonce"] = issued(reveal(self.password), int(now) + SIMULATED_LIFE_SECONDS)
        given |= {"stale": "true"} if said and self._proves(request, said) else {}
        return {"www-authenticate": "Digest " + ", ".join(_written(*pair) for pair in given.items())}

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request proves that its sender knows the password, with a nonce that is in its time."""
        said = _parameters(str(request.get(AUTHORIZATION) or "").removeprefix("Digest "))
        return self._proves(request, said) and holds(reveal(self.password), said["nonce"], now)

    def _proves(self, request: Request, said: Mapping[str, str]) -> bool:
        user = said.get("username", unquote(said.get("username*", "").removeprefix("UTF-8''")))
        asked = {"realm": "simulated", "algorithm": "SHA-256", "qop": "auth", "uri": target(request)}
        if any(said.get(name) != value for name, value in asked.items()) or not {"nonce", "nc", "cnonce"} <= set(said):
            return False
        return user == reveal(self.username) and said.get("response") == self._response(request.method, said)


def _challenges(page: Page) -> list[dict[str, str]]:
    """The challenges of this scheme, the best first; several may stand in one header."""
    header = page.headers.get("www-authenticate", "")
    starts = [one for one in SCHEME.finditer(header) if one[1]]
    ends = [*(one.start() for one in starts[1:]), len(header)]
    pairs = zip(starts, ends, strict=False)
    found = [_parameters(header[one.end() : end]) for one, end in pairs if one[1].lower() == "digest"]
    return sorted(found, key=lambda one: list(HASHES).index(name) if (name := _name(one)) in HASHES else len(HASHES))


def _parameters(text: str) -> dict[str, str]:
    """Names in lower case -> values, of a challenge or of its answer."""
    pairs: Iterator[re.Match[str]] = PARAMETER.finditer(text)
    return {one[1].lower(): one[3] if one[2] is None else re.sub(r"\\(.)", r"\1", one[2]) for one in pairs}


def _usable(challenge: Mapping[str, str]) -> bool:
    qops = _qops(challenge)
    return {"realm", "nonce"} <= set(challenge) and _name(challenge) in HASHES and (not qops or "auth" in qops)


def _qops(challenge: Mapping[str, str]) -> list[str]:
    return [one.strip().lower() for one in challenge.get("qop", "").split(",") if one.strip()]


def _name(said: Mapping[str, str]) -> str:
    return re.sub("-sess$", "", said.get("algorithm", "MD5"), flags=re.IGNORECASE).upper()


def _hash(said: Mapping[str, str], *pieces: str) -> str:
    return hashlib.new(HASHES[_name(said)], ":".join(pieces).encode()).hexdigest()


def _written(name: str, value: str) -> str:
    if name in UNQUOTED or name.endswith("*"):
        return f"{name}={value}"
    escaped = value.replace("\\", r"\\").replace('"', r"\"")
    return f'{name}="{escaped}"'
