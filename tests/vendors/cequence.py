"""A stand-in of a Cequence tenant: its public token request, and reading lists whose shape can be chosen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.vendors.cequence_inventory import Inventory, Row, planted
from tests.vendors.server import Answer, Asked, Refusal, Server

REALM = "/auth/realms/cequence/protocol/openid-connect/token"
SENDS = {"pages_from_0": "page", "pages_from_1": "page", "offset": "offset", "cursor": "cursor"}
UPLOAD = "/apisec/api/dictionary/api-definitions"
"""The one product call that is public; posting to it writes."""


@dataclass(frozen=True)
class Shape:
    """How one list is answered: nobody outside a tenant knows."""

    path: str
    records: str = "items"
    """The field that holds the list; empty where the answer is the list itself."""
    paging: str = "pages_from_0"
    size_name: str = "size"
    total: str = ""
    """The field that says how many there are."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Fields that are called otherwise: ours -> the tenant's."""


SHAPES = {
    "api_definitions": Shape(UPLOAD),
    "runtime_endpoints": Shape("/apisec/api/inventory/endpoints"),
    "endpoint_risks": Shape("/apisec/api/inventory/risks"),
    "sensitive_data": Shape("/apisec/api/inventory/sensitive-data"),
    "spec_drift": Shape("/apisec/api/inventory/nonconforming"),
    "policies": Shape("/apisec/api/policies"),
    "external_hosts": Shape("/spyder/hosts"),
    "external_findings": Shape("/spyder/findings"),
}


class Cequence(Server):
    """One tenant. A page has `default_page` records, or as many as were asked for, but never above `max_page`."""

    def __init__(
        self,
        inventory: Inventory | None = None,
        *,
        shapes: Mapping[str, Shape] | None = None,
        default_page: int = 7,
        max_page: int = 10,
        expires_in: int = 1800,
        clock: Callable[[], float] = time.time,
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.inventory = inventory or Inventory()
        self.shapes = {**SHAPES, **(shapes or {})}
        self.default_page, self.max_page, self.expires_in = default_page, max_page, expires_in
        self.client_id, self.client_secret = "collector-1", planted("client-secret")
        self.api_key = planted("api-key")
        self.issued: list[str] = []
        self._alive: dict[str, float] = {}
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def base_url(self) -> str:
        """The base of the API Security component."""
        return f"{self.url}/apisec/api"

    @property
    def spyder_url(self) -> str:
        """The base of API Spyder."""
        return f"{self.url}/spyder"

    @property
    def auth_url(self) -> str:
        """Where a client's id and secret are traded for a token."""
        return self.url + REALM

    def kill_tokens(self) -> None:
        """Let all tokens die; new ones can be had."""
        with self._lock:
            self._alive.clear()

    def secrets(self) -> list[str]:
        """Everything that no output, log or store may hold."""
        return [self.client_secret, self.api_key, *self.issued, *self.inventory.secrets()]

    def answer(self, asked: Asked) -> Answer:
        if asked.path == REALM:
            return self._token(asked)
        self._check(asked)
        for name, shape in self.shapes.items():
            if (asked.method, asked.path) == ("GET", shape.path):
                return self._page(asked, shape, self.inventory.lists[name])
        raise Refusal(Answer.json({"error": "Not Found", "status": 404, "path": asked.path}, 404))

    def _token(self, asked: Asked) -> Answer:
        if asked.method != "POST" or "x-www-form-urlencoded" not in asked.headers.get("content-type", ""):
            return Answer.json({"error": "invalid_request", "error_description": "Missing form parameter"}, 400)
        form = {name: values[-1] for name, values in parse_qs(asked.body.decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return Answer.json({"error": "unsupported_grant_type"}, 400)
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            words = "Invalid client or Invalid client credentials"
            return Answer.json({"error": "invalid_client", "error_description": words}, 401)
        with self._lock:
            token = planted("token", len(self.issued), self._clock())
            self.issued.append(token)
            self._alive[token] = self._clock() + self.expires_in
        more = {"refresh_expires_in": 0, "token_type": "Bearer", "not-before-policy": 0, "scope": "profile"}
        return Answer.json({"access_token": token, "expires_in": self.expires_in, **more})

    def _check(self, asked: Asked) -> None:
        """Let a call through with a token that lives, or with the key in one of two headers."""
        scheme, _, sent = asked.headers.get("authorization", "").partition(" ")
        given = sent if scheme.lower() == "bearer" else asked.headers.get("x-api-key", "")
        with self._lock:
            alive = self._alive.get(given, 0.0) > self._clock()
        if not (alive or given == self.api_key):
            raise Refusal(Answer.json({"error": "Unauthorized", "status": 401}, 401))

    def _page(self, asked: Asked, shape: Shape, rows: list[Row]) -> Answer:
        sent = dict(asked.query)
        if wrong := set(sent) - {SENDS.get(shape.paging), shape.size_name}:
            raise Refusal(Answer.json({"error": "Bad Request", "message": f"unknown parameter {min(wrong)}"}, 400))
        size = min(int(sent.get(shape.size_name, self.default_page)), self.max_page)
        if shape.paging == "none":
            start, size = 0, len(rows)
        elif shape.paging == "cursor":
            start = int(sent.get("cursor", "c-0").removeprefix("c-"))
        elif shape.paging == "offset":
            start = int(sent.get("offset", "0"))
        else:
            # The first page also answers to a number below it, as servers that do not check do.
            first = int(shape.paging[-1])
            start = max(int(sent.get("page", first)) - first, 0) * size
        page = [self._named(row, shape) for row in rows[start : start + size]]
        if not shape.records:
            return Answer.json(page)
        answer: dict[str, Any] = {shape.records: page}
        if shape.total:
            answer[shape.total] = len(rows)
        if shape.paging == "cursor" and start + size < len(rows):
            answer["next"] = f"c-{start + size}"
        return Answer.json(answer)

    def _named(self, row: Row, shape: Shape) -> Row:
        return {shape.names.get(name, name): value for name, value in row.items()}
