"""A signature of the request itself, in one of the many ways that vendors made up."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from engine.core import template
from engine.core.credential import Credential
from engine.core.errors import Mistake
from engine.core.filters import ENCODINGS
from engine.core.kinds import Auth, Moment, Token, reveal
from engine.core.signing import SigningText, fill_in, of_request
from engine.core.template import Template
from engine.core.times import TimeFormat, instant_of, written
from engine.core.wire import Place, Request
from engine.parts.auth._keys import KeyEncoding, key_bytes, made_up

SKEW_SECONDS = 300
NOTHING: frozenset[str] = frozenset()


class SignedText(SigningText):
    """The text that is signed."""

    names: ClassVar[Mapping[str, frozenset[str] | None]] = {
        **SigningText.names,
        "timestamp": NOTHING,
        "key": NOTHING,
        "key_id": NOTHING,
    }


class SentText(SigningText):
    """The text that is sent."""

    names: ClassVar[Mapping[str, frozenset[str] | None]] = {
        "signature": NOTHING,
        "timestamp": NOTHING,
        "nonce": NOTHING,
        "key_id": NOTHING,
    }


class HmacSignature(Auth):
    """Signs a text made of the request, the time and a nonce, and sends the signature.

    In `sign` stand `${request.method}`, `.host`, `.path`, `.query` (as sent), `.sorted_query`, `.target` (path and
    query), `.url`, `.body`; `${timestamp}`, `${nonce}`, `${key_id}`, `${key}`; hashes are made by
    `${request.body|hash('sha256')}`. What goes along (timestamp, nonce, id of the key) is put into the request before
    it is signed. Source: RFC 2104.

    Misbehaving: A 401 fails the endpoint at once: mostly this machine's clock is wrong, or what is signed differs
    from what the vendor signs.

    Example:
        params:
          key_id: { doc: Id of the API key. }
        secrets:
          key: { env: ACME_API_SECRET }
        connection:
          base_url: https://api.example.com
          auth:
            hmac_signature:
              key: ${secret.key}
              key_id: ${param.key_id}
              send_key_id: header.X-Key
              timestamp: header.X-Timestamp
              sign: "${timestamp}${request.method}${request.target}${request.body}"
              send: header.X-Signature
    """

    key: Credential = Field(description="The key that signs, from a secret.")
    key_encoding: KeyEncoding = Field("text", description="How its bytes are written: text, hex or base64.")
    key_id: Template | None = Field(None, description="The id of the key, also from a secret.")
    send_key_id: Place | None = Field(None, description="Where the id of the key goes.")
    timestamp: Place | None = Field(None, description="Where the time goes.")
    timestamp_format: TimeFormat = Field(
        TimeFormat("epoch_s"), description="How the time is written: epoch_s, epoch_ms, iso or a pattern."
    )
    nonce: Place | None = Field(None, description="Where the nonce goes.")
    also: dict[Place, Template] = Field({}, description="More that goes along, such as a passphrase: place -> text.")
    sign_: SignedText = Field(alias="sign", description="The text that is signed; a line break is \\n in quotes.")
    algorithm: Literal["md5", "sha1", "sha256", "sha384", "sha512"] = Field("sha256", description="The hash.")
    keyed: bool = Field(
        True, description="Whether it is an HMAC; else a hash alone, and the key stands in the text as ${key}."
    )
    encoding: Literal["hex", "HEX", "base64", "base64url"] = Field("hex", description="How the signature is written.")
    send: Place = Field(description="Where the signature goes.")
    value: SentText = Field(SentText("${signature}"), description="What goes there: `acme ${key_id}:${signature}`.")

    @model_validator(mode="after")
    def _checkable(self) -> Self:
        """What is signed must be sent: else nobody could check the signature."""
        told = {one.namespace for one in template.compile(self.value).references}
        for name in {one.namespace for one in template.compile(self.sign_).references} & {"timestamp", "nonce"}:
            if getattr(self, name) is None and name not in told:
                raise Mistake("signature", f"{name} is signed but not sent", f"write {name}: header.X-{name.title()}")
        return self

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with its signature."""
        moment = datetime.fromtimestamp(int(at.now * 1000) / 1000, UTC)
        stamp = str(written(moment, self.timestamp_format))
        for place, value in ((self.send_key_id, self.key_id), (self.timestamp, stamp), (self.nonce, at.nonce)):
            request = request if place is None or value is None else request.put(place, reveal(value))
        for place, text in self.also.items():
            request = request.put(place, reveal(text))
        return request.put(self.send, self._sent(request, stamp, at.nonce))

    def _sent(self, request: Request, timestamp: str, nonce: str) -> str:
        scope: dict[str, object] = {"timestamp": timestamp, "nonce": nonce, "key_id": reveal(self.key_id or "")}
        text = fill_in(self.sign_, {**scope, "request": of_request(request), "key": reveal(self.key)}).encode()
        if self.keyed:
            raw = hmac.new(key_bytes(reveal(self.key), self.key_encoding), text, self.algorithm).digest()
        else:
            raw = hashlib.new(self.algorithm, text).digest()
        return fill_in(self.value, {**scope, "signature": ENCODINGS[self.encoding](raw)})

    # --- the vendor's side

    def rehearse(self, url: str) -> Self:
        """The same sign-in with a key whose bytes are written as the page says."""
        return self.model_copy(update={"key": made_up(reveal(self.key), self.key_encoding)})

    def admit(self, request: Request, now: float) -> bool:
        """Whether the signature is that of this request, and its time is now."""
        sent = str(request.get(self.send) or "")
        told = self._told(sent)
        for name, place in (("timestamp", self.timestamp), ("nonce", self.nonce), ("key_id", self.send_key_id)):
            told |= {name: str(request.get(place) or "")} if place else {}
        fixed = {place: reveal(text) for place, text in self.also.items()}
        if told.get("key_id", reveal(self.key_id or "")) != reveal(self.key_id or ""):
            return False
        try:
            when = instant_of(told["timestamp"], [self.timestamp_format]).timestamp() if "timestamp" in told else now
        except ValueError:
            return False
        if abs(when - now) > SKEW_SECONDS or any(request.get(place) != text for place, text in fixed.items()):
            return False
        bare = request.put(self.send, None)
        return hmac.compare_digest(
            sent.encode(), self._sent(bare, told.get("timestamp", ""), told.get("nonce", "")).encode()
        )

    def _told(self, sent: str) -> dict[str, str]:
        """What stands in the text that is sent besides the signature."""
        names = {one.namespace for one in template.compile(self.value).references}
        pattern = re.escape(fill_in(self.value, {name: f"<{name}>" for name in names}))
        for name in names:
            pattern = pattern.replace(re.escape(f"<{name}>"), f"(?P<{name}>.+?)", 1)
        found = re.fullmatch(pattern, sent)
        return {name: text for name, text in (found.groupdict() if found else {}).items() if name != "signature"}
