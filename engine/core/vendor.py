"""Somebody who answers in a vendor's place: what the simulator implements and the walk may be handed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from engine.core.errors import Json
from engine.core.kinds import Auth
from engine.core.values import Secret


class Stand(Protocol):
    """A vendor that is open for requests."""

    auth: Auth | None
    """The sign-in with made-up credentials; None where the page has none."""

    def reach(self, url: str) -> str:
        """Where an address of the real vendor is answered instead."""

    def rows(self, endpoint: str) -> Sequence[Json]:
        """The records of an endpoint that is read from files."""


class Vendor(Protocol):
    """A vendor that can be opened for one run of one page."""

    seed: int

    def params(self, pipeline: Any, given: Mapping[str, Json]) -> Mapping[str, Json]:
        """Values for the params that nobody set (texts, as a person would type them)."""

    def secrets(self, pipeline: Any) -> Mapping[str, Secret]:
        """Made-up secrets, all that the page names."""

    def open(self, plan: Any, rows: Callable[[str], Iterable[Json]]) -> AbstractContextManager[Stand]:
        """Answer the plan's requests until the context ends; `rows` gives those of a table, as published."""
