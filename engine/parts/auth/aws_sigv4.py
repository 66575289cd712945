"""Amazon's signature of a request, version 4."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes, urlsplit

from pydantic import Field

from engine.core.credential import Credential
from engine.core.kinds import Auth, Moment, Token, reveal
from engine.core.signing import host
from engine.core.template import Template
from engine.core.wire import Place, Request
from engine.parts.auth._oauth import AUTHORIZATION

ALGORITHM = "AWS4-HMAC-SHA256"
TIME_FORM = "%Y%m%dT%H%M%SZ"
SKEW_SECONDS = 15 * 60
DATE, SESSION, HASH = (Place(f"header.X-Amz-{name}") for name in ("Date", "Security-Token", "Content-Sha256"))
UNSIGNED = frozenset(("authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"))
"""Headers that proxies may change."""
SENT = re.compile(rf"{ALGORITHM} Credential=([^/]+)/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]+)")


class AwsSigv4(Auth):
    """Signs method, path, query, headers and body with an access key of AWS.

    The path is normalised and encoded once more before it is signed, for `s3` neither; `s3` also gets the hash of the
    body as a header. Source: AWS Signature Version 4 for API requests.

    Misbehaving: A refusal (401, 403) fails the endpoint in AWS's words, which name what it would have signed; it is
    not signed anew, so temporary keys must outlive the run.

    Example:
        secrets:
          access_key: { env: AWS_ACCESS_KEY_ID }
          secret_key: { env: AWS_SECRET_ACCESS_KEY }
        connection:
          base_url: https://guardduty.eu-central-1.amazonaws.com
          auth:
            aws_sigv4:
              access_key: ${secret.access_key}
              secret_key: ${secret.secret_key}
              region: eu-central-1
              service: guardduty
    """

    access_key: Template = Field(description="The id of the access key, also from a secret.")
    secret_key: Credential = Field(description="The secret access key, from a secret.")
    session_token: Credential | None = Field(None, description="The session token of temporary keys, from a secret.")
    region: Template = Field(description="The region, such as eu-central-1.")
    service: Template = Field(description="The service as it is called in signatures: execute-api, guardduty, s3.")

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with its signature."""
        kind, content = request.content or ("", b"")
        if content and request.get(Place("header.Content-Type")) is None:
            request = request.put(Place("header.Content-Type"), kind)
        request = request.put(DATE, datetime.fromtimestamp(at.now, UTC).strftime(TIME_FORM))
        request = request.put(SESSION, reveal(self.session_token)) if self.session_token else request
        request = request.put(HASH, hashlib.sha256(content).hexdigest()) if self._is_s3 else request
        names = sorted({"host", *(name.lower() for name, _ in request.header)} - UNSIGNED)
        return request.put(
            AUTHORIZATION,
            f"{ALGORITHM} Credential={reveal(self.access_key)}/{self._scope(str(request.get(DATE)))}, "
            f"SignedHeaders={';'.join(names)}, Signature={self._signature(request, names)}",
        )

    def admit(self, request: Request, now: float) -> bool:
        """Whether the signature is that of this request, and its time is now."""
        sent, date = SENT.fullmatch(str(request.get(AUTHORIZATION) or "")), str(request.get(DATE) or "")
        try:
            when = datetime.strptime(date, TIME_FORM).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return False
        if not sent or abs(when - now) > SKEW_SECONDS:
            return False
        names = sent[3].split(";")
        needed = {"host"} | {name.lower() for name, _ in request.header if name.lower().startswith("x-amz-")}
        known = (sent[1], sent[2]) == (reveal(self.access_key), self._scope(date)) and needed <= set(names)
        return known and hmac.compare_digest(sent[4], self._signature(request, names))

    @property
    def _is_s3(self) -> bool:
        return reveal(self.service) == "s3"

    def _scope(self, date: str) -> str:
        return f"{date[:8]}/{reveal(self.region)}/{reveal(self.service)}/aws4_request"

    def _signature(self, request: Request, names: Sequence[str]) -> str:
        date = str(request.get(DATE))
        asked = hashlib.sha256(self.canonical(request, names).encode()).hexdigest()
        key = f"AWS4{reveal(self.secret_key)}".encode()
        for piece in self._scope(date).split("/"):
            key = hmac.new(key, piece.encode(), "sha256").digest()
        return hmac.new(key, "\n".join((ALGORITHM, date, self._scope(date), asked)).encode(), "sha256").hexdigest()

    def canonical(self, request: Request, names: Sequence[str]) -> str:
        """The request in the one form that is signed."""
        headers = _headers(request)
        path = urlsplit(request.url).path or "/"
        pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in request.query)
        return "\n".join(
            (
                request.method,
                _encoded_once(path) if self._is_s3 else quote(_normal(path), safe="/~"),
                "&".join(f"{name}={value}" for name, value in pairs),
                *(f"{name}:{headers.get(name, '')}" for name in names),
                "",
                ";".join(names),
                hashlib.sha256((request.content or ("", b""))[1]).hexdigest(),
            )
        )


def _headers(request: Request) -> Mapping[str, str]:
    """Names in lower case -> values, blanks around and between words taken together."""
    found: dict[str, list[str]] = {"host": [host(request)]}
    for name, value in request.header:
        found.setdefault(name.lower(), [])
        if name.lower() != "host":
            found[name.lower()].append(" ".join(value.split()))
    return {name: ",".join(values) for name, values in found.items()}


def _encoded_once(path: str) -> str:
    """The path with each letter encoded that is not unreserved; a slash inside a piece stays one."""
    return "/".join(quote(unquote_to_bytes(piece), safe="") for piece in path.split("/"))


def _normal(path: str) -> str:
    """The path without empty pieces and steps upwards. Source: RFC 3986 section 5.2.4."""
    kept: list[str] = []
    for piece in path.split("/"):
        if piece == "..":
            kept = kept[:-1]
        elif piece not in ("", "."):
            kept.append(piece)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith(("/", "/.", "/..")) else "")
