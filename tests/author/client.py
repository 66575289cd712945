"""A client of a simulated vendor, and the clock that the vendor is opened with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from engine.core.clock import Clock
from engine.core.vendor import Stand
from engine.flow.plan import Plan

NOW = 1_795_000_000.0
"""2026-11-18T15:06:40Z."""
CLOCK = Clock(lambda: NOW, lambda seconds: None, lambda: 0.5)


@dataclass
class Asked:
    """A client of a simulated vendor that asks by the real vendor's addresses."""

    stand: Stand
    client: httpx2.Client
    plan: Plan

    def raw(
        self, url: str, *, body: Any = None, header: Mapping[str, str] | None = None, **query: Any
    ) -> httpx2.Response:
        """The answer to a GET, or with a body to a POST."""
        address = self.stand.reach(url if "://" in url else f"https://api.acme.example/v2{url}")
        sent = {"json": body} if body is not None else {}
        return self.client.request("POST" if sent else "GET", address, params=query, headers=dict(header or {}), **sent)

    def get(self, url: str, **more: Any) -> Any:
        """The decoded answer, which must be a success."""
        answer = self.raw(url, **more)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content)


Opening = Callable[..., Asked]
