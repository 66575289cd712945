"""Records read into typed rows as a table would read them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from engine.flow.columns import Wanted, reading
from engine.flow.frames import AT, Reader, Rows
from engine.flow.slices import Slice


def read(
    wanted: Sequence[Wanted],
    *records: Any,
    null_values: Sequence[str] = (),
    added: Mapping[str, Sequence[Any]] | None = None,
) -> Rows:
    """The rows of some records; a text is a record's JSON as it was sent."""
    rows = [(one if isinstance(one, str) else json.dumps(one)).encode() for one in records]
    reader = Reader(reading(wanted), null_values, frozenset(added or {}))
    return reader.read(Slice(0, rows, added or {}))


def values(wanted: Wanted, *records: Any, **how: Any) -> list[Any]:
    """The values of one column; `REFUSED` for a record that was set apart."""
    rows = read([wanted], *records, **how)
    found = dict(zip(rows.frame[AT].to_list(), rows.frame[wanted.name].to_list(), strict=True))
    refused = {reject.at for reject in rows.rejects}
    assert refused.isdisjoint(found)
    return [REFUSED if at in refused else found[at] for at in range(len(records))]


REFUSED = "refused"
