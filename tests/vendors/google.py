"""Google's sign-in for service accounts, as a stand-in: it checks what Google checks and answers in Google's words."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.types import Options

from tests.vendors.server import Answer, Asked, Refusal

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SKEW_SECONDS = 300
UNCHECKED: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
HINT = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
SHORT_LIVED = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)


def error(status: int, message: str, *, name: str = "", details: list[Any] | None = None, **headers: str) -> Answer:
    """An error in the form of AIP-193."""
    body: dict[str, Any] = {"code": status, "message": message, "status": name or STATUSES[status]}
    return Answer.json({"error": body | ({"details": details} if details else {})}, status, **headers)


def error_info(reason: str, metadata: Mapping[str, str]) -> list[Any]:
    """The detail that tells a machine why."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return [{"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": dict(metadata)}]


@cache
def _key() -> rsa.RSAPrivateKey:
    """One key for the whole process: making one takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class SignIn:
    """One service account and the access tokens it was given."""

    def __init__(self, project: str, *, clock: Callable[[], float], expires_in: int) -> None:
        self.project = project
        self.expires_in = expires_in
        self._clock = clock
        self._email = f"collector@{project}.iam.gserviceaccount.com"
        self._lock = threading.Lock()
        self._alive: dict[str, float] = {}  # token -> the second it dies
        self._calls_left: int | None = None
        self.issued: list[str] = []
        self.assertions: list[str] = []

    def account(self, token_uri: str) -> dict[str, str]:
        """The key file of the account, as the console hands it out."""
        public = "https://www.googleapis.com/robot/v1/metadata/x509"
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        return {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": "test-kid-1",
            "private_key": _key().private_bytes(encoding, form, serialization.NoEncryption()).decode(),
            "client_email": self._email,
            "client_id": "123456789012345678901",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": f"{public}/{self._email.replace('@', '%40')}",
            "universe_domain": "googleapis.com",
        }

    def secrets(self, token_uri: str) -> list[str]:
        """The private key, whole and without its frame, and every assertion and token so far."""
        pem = self.account(token_uri)["private_key"]
        return [pem, *(line for line in pem.splitlines() if len(line) == 64), *self.assertions, *self.issued]

    def kill(self, after: int = 0) -> None:
        """Let the tokens of now die, at once or when so many more calls were let through."""
        with self._lock:
            self._calls_left = after
            self._bury()

    def _bury(self) -> None:
        if self._calls_left == 0:
            self._alive.clear()
            self._calls_left = None

    def token(self, asked: Asked, token_uri: str) -> Answer:
        """Trade a signed assertion for an access token."""
        if asked.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            return _denied("invalid_request", "Content-Type must be application/x-www-form-urlencoded")
        form = {name: values[-1] for name, values in parse_qs(asked.body.decode()).items()}
        if form.get("grant_type") != GRANT:
            return _denied("unsupported_grant_type", f"Invalid grant_type: {form.get('grant_type', '')}")
        self.assertions.append(form.get("assertion", ""))
        refused = self._judge(self.assertions[-1], token_uri)
        if refused:
            return refused
        with self._lock:
            token = f"ya29.PLANTED-token-{len(self.issued):04d}-{self.project}"
            self.issued.append(token)
            self._alive[token] = self._clock() + self.expires_in
        return Answer.json({"access_token": token, "expires_in": self.expires_in, "token_type": "Bearer"})

    def _judge(self, assertion: str, token_uri: str) -> Answer | None:
        """What is wrong with the assertion; its times are read by our clock, not by the library's."""
        try:
            kid = jwt.get_unverified_header(assertion).get("kid", "test-kid-1")
            claims = jwt.decode(assertion, _key().public_key(), algorithms=["RS256"], options=UNCHECKED)
        except jwt.InvalidTokenError:
            kid, claims = "", {}
        if kid != "test-kid-1":
            return _denied("invalid_grant", "Invalid JWT Signature.")
        if claims.get("iss") != self._email:
            return _denied("invalid_grant", "Invalid grant: account not found")
        if claims.get("aud") != token_uri:
            return _denied("invalid_grant", f"Failed audience check. The right audience is {token_uri}")
        now, issued, expires = self._clock(), claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(expires, int):
            return _denied("invalid_grant", SHORT_LIVED)
        if expires - issued > 3600 or expires <= now - SKEW_SECONDS or issued > now + SKEW_SECONDS:
            return _denied("invalid_grant", SHORT_LIVED)
        if SCOPE not in str(claims.get("scope", "")).split():
            return _denied("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return None

    def check(self, asked: Asked, metadata: Mapping[str, str]) -> None:
        """Let a call through, or refuse it with 401 as Google does."""
        realm = 'Bearer realm="https://accounts.google.com/"'
        kind, _, token = asked.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            message = f"Request is missing required authentication credential. {HINT}"
            details = error_info("CREDENTIALS_MISSING", metadata)
            raise Refusal(error(401, message, details=details, WWW_Authenticate=realm))
        with self._lock:
            self._bury()
            alive = self._alive.get(token, 0.0) > self._clock()
            if alive and self._calls_left is not None:
                self._calls_left -= 1
        if not alive:
            reason = "ACCESS_TOKEN_EXPIRED" if token in self.issued else "ACCESS_TOKEN_TYPE_UNSUPPORTED"
            message = f"Request had invalid authentication credentials. {HINT}"
            realm += ', error="invalid_token"'
            raise Refusal(error(401, message, details=error_info(reason, metadata), WWW_Authenticate=realm))


def _denied(code: str, description: str) -> Answer:
    return Answer.json({"error": code, "error_description": description}, 400)
