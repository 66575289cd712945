"""Marks: how far each partition of an endpoint was read, by which request, and how the ledger writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from engine.core import jsontext
from engine.core.errors import Json
from engine.spec.collect import Connection, Endpoint

MARKED = """
INSERT INTO watermarks (tool, endpoint, kind, partition, value, binding, since, seen, basis) VALUES (?,?,?,?,?,?,?,?,?)
ON CONFLICT (tool, endpoint, kind, partition) DO UPDATE SET binding=excluded.binding, seen=excluded.seen,
  since=CASE WHEN excluded.value IN ('', watermarks.value) THEN watermarks.since ELSE excluded.since END,
  basis=CASE WHEN excluded.value='' THEN watermarks.basis ELSE excluded.basis END,
  value=CASE WHEN excluded.value='' THEN watermarks.value ELSE excluded.value END
"""
Kind = Literal["window", "changed"]


@dataclass(frozen=True)
class Mark:
    """How far one partition of an endpoint was read."""

    kind: Kind
    partition: str
    value: str = ""
    """Until when it was read, or the value of `when_changed` it was read at; empty: as it was, at first not at all."""
    binding: Mapping[str, Json] = field(default_factory=dict)
    at: str = ""
    """When the run began that saw its parent; of a mark that is there, the run that moved it."""
    endpoint: str = ""
    basis: str = ""
    """The `basis_of` the request that read it."""

    def row(self, tool: str, endpoint: str) -> tuple[str, ...]:
        """The values of `MARKED`."""
        binding = jsontext.canonical(self.binding)
        since = self.value and self.at
        return tool, endpoint, self.kind, self.partition, self.value, binding, since, self.at, self.basis


def basis_of(connection: Connection, endpoint: Endpoint) -> str:
    """A hash of what a mark rests on, as the page says it: asked otherwise, the vendor may have older records, too."""
    create, incremental = endpoint.job and endpoint.job.create, endpoint.incremental
    asked = [endpoint.base_url or connection.base_url, endpoint.method, endpoint.path, endpoint.query]
    sent = [endpoint.body, endpoint.form, endpoint.multipart, endpoint.graphql and endpoint.graphql.model_dump()]
    window = [incremental.field, incremental.start] if incremental else []
    job = create and [*create.way, create.query, create.body]
    return hashlib.sha256(jsontext.canonical([asked, sent, window, job]).encode()).hexdigest()[:16]
