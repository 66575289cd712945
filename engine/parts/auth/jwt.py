"""A JSON Web Token that is made and signed anew for each request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field

from engine.core.credential import Credential
from engine.core.errors import Json
from engine.core.kinds import Auth, Moment, Token, reveal
from engine.core.signing import SigningText, fill_in, of_request
from engine.core.values import Duration, Secret
from engine.core.wire import Place, Request
from engine.parts.auth._jws import Algorithm, Key, new_key
from engine.parts.auth._keys import KeyEncoding, made_up
from engine.parts.auth._nested import nested
from engine.parts.auth._oauth import AUTHORIZATION


def _claims(value: Any) -> Any:
    return nested(SigningText, value)


Claims = Annotated[dict[str, Any], BeforeValidator(_claims, json_schema_input_type=dict[str, Any])]


class Jwt(Auth):
    """Signs a JSON Web Token for each request and sends it; nothing is asked for.

    `iat` and `exp` are put in unless `claims` names them; a claim that is null is left out. In claims and header
    `${request.method}`, `.host`, `.path`, `.target`, `.query` and the like are those of the request, `${nonce}` is a
    text that no other request has. Source: RFC 7519, RFC 7515.

    Misbehaving: A 401 fails the endpoint at once: mostly this machine's clock is wrong, or the key is not known to
    the vendor.

    Example:
        params:
          issuer: { doc: Id of the key. }
        secrets:
          key: { env: ACME_PRIVATE_KEY, or_path: true }
        connection:
          base_url: https://api.example.com
          auth:
            jwt:
              key: ${secret.key}
              algorithm: ES256
              header: { kid: "${param.issuer}" }
              claims:
                iss: ${param.issuer}
                aud: https://api.example.com
                jti: ${nonce}
                uri: "${request.method} ${request.host}${request.path}"
    """

    key: Credential = Field(description="The private key (PEM) or the shared secret, from a secret.")
    key_encoding: KeyEncoding = Field("text", description="How a shared secret is written: text, hex or base64.")
    algorithm: Algorithm = Field("HS256", description="How it is signed.")
    claims: Claims = Field({}, description="What the token says: claim -> value.")
    header: Claims = Field({}, description="What its header says besides `alg` and `typ`, such as `kid`.")
    life: Duration = Field(Duration("5m"), description="How long after it was signed the token expires.")
    send: Place = Field(AUTHORIZATION, description="Where the token goes.")
    prefix: str = Field("Bearer ", description="A text in front of the token.")

    def sign(self, request: Request, token: Token, at: Moment) -> Request:
        """The request with a token of its own."""
        scope = {"request": of_request(request), "nonce": at.nonce}
        times = {"iat": int(at.now), "exp": int(at.now + self.life.seconds)}
        claims = {name: value for name, value in (times | _filled(self.claims, scope)).items() if value is not None}
        return request.put(self.send, self.prefix + self._key().sign(claims, _filled(self.header, scope)))

    def admit(self, request: Request, now: float) -> bool:
        """Whether the request carries a token that is signed with the key, says what it should, and is in its time."""
        text, bare = str(request.get(self.send) or ""), request.put(self.send, None)
        read = self._key().read(text.removeprefix(self.prefix), now, self.life.seconds)
        if read is None or not text.startswith(self.prefix):
            return False
        return _says(read[0], self.header, bare) and _says(read[1], self.claims, bare)

    def rehearse(self, url: str) -> Self:
        """The same sign-in with a key made on the spot."""
        if self.algorithm.startswith("HS"):
            return self.model_copy(update={"key": made_up(reveal(self.key), self.key_encoding)})
        return self.model_copy(update={"key": Secret(new_key(self.algorithm), "private key")})

    def _key(self) -> Key:
        return Key(self.algorithm, reveal(self.key), self.key_encoding)


def _filled(value: Any, scope: Mapping[str, object]) -> Any:
    """Claims with what belongs to the request put in."""
    if isinstance(value, dict):
        return {name: _filled(one, scope) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, scope) for one in value]
    if isinstance(value, Secret):
        return value.reveal()
    return fill_in(value, scope) if isinstance(value, SigningText) else value


def _says(told: Mapping[str, Json], wanted: dict[str, Any], request: Request) -> bool:
    """Whether a token tells what the page says of this request; what reads the nonce may tell anything."""
    one, other = (_filled(wanted, {"request": of_request(request), "nonce": nonce}) for nonce in ("1", "2"))
    return all(told.get(name) == value for name, value in one.items() if value == other[name])
