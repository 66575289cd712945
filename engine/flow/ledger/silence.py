"""A connection to a PostgreSQL that is given up when the server says nothing more, as behind a cable that is cut."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from engine.flow.ledger.dialect import Row

T = TypeVar("T")

SILENT_SECONDS = 50.0
"""Longer than any statement may take, so that a server that is slow says so itself."""


class Listening(psycopg.Connection[Row]):
    """A connection that is closed when nothing is heard for too long: the network itself may never tell."""

    def wait(self, gen: PQGen[T], *args: Any, **more: Any) -> T:
        """What the server answers. Raises OperationalError when it is silent."""
        return super().wait(self._heard(gen), *args, **more)

    def _heard(self, gen: PQGen[T]) -> PQGen[T]:
        last = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    last = time.monotonic()
                elif time.monotonic() - last > SILENT_SECONDS:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"nothing was heard of it for {SILENT_SECONDS:g} seconds")
                wanted = gen.send(ready)
        except StopIteration as end:
            answer: T = end.value
            return answer
