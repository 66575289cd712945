"""One row for each element deep inside a record: lists, maps, and names beside rows of values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine.core import jsontext, select
from engine.core.errors import Json
from engine.core.select import Jmes
from engine.spec.model import Column, Each, Zipped

Path = tuple[str, ...]
Paths = frozenset[Path]


class Reshaper:
    """Turns the raw records of a page into the raw rows of a table; `parent.` reaches the record above."""

    def __init__(self, rows: Sequence[Each] | Zipped, columns: Mapping[str, Column]) -> None:
        self._steps: Sequence[Each | Zipped] = [rows] if isinstance(rows, Zipped) else rows
        chosen = {name: select.compile(column.path) for name, column in columns.items()}
        # Looked up here: a list that is looked into would be written out with every row.
        self._lookups = {f" {name}": one for name, one in chosen.items() if one.lookups}
        paths = frozenset(path for one in chosen.values() if not one.lookups for path in one.paths)
        self._up = frozenset(path[1:] for path in paths if path[:1] == ("parent",))
        self._climbs = any(path[:1] == ("parent",) for one in chosen.values() for path in one.paths)
        self.columns: Mapping[str, Column] = {
            name: one.model_copy(update={"path": Jmes(jsontext.canonical(f" {name}"))}) if chosen[name].lookups else one
            for name, one in columns.items()
        }
        """The columns as they read these rows."""

    def rows(self, raw: Iterable[bytes], add: Mapping[str, Json]) -> list[bytes]:
        """The rows of some records; raises SelectError where a path leads to neither list nor map."""
        found = []
        for one in raw:
            bare = jsontext.read(one)
            record = {**bare, **add} if isinstance(bare, dict) else bare
            found += [jsontext.write(row) for row in self._down(record, bare, self._steps)]
        return found

    def _down(self, record: Json, bare: Json, steps: Sequence[Each | Zipped]) -> Iterator[Json]:
        """The rows below a record; `bare` is it without what was put into it, for `each: "@"` to go through."""
        if not steps:
            yield self._whole(record)
            return
        above = {"parent": record} if self._climbs else {}
        for value, own in _elements(record, bare, steps[0]):
            yield from self._down({**_row(value), **own, **above}, value, steps[1:])

    def _whole(self, row: dict[str, Json]) -> Json:
        """The row with what it looks up, and of the records above it only what columns read."""
        looked_up = {name: chosen.search(row) for name, chosen in self._lookups.items()}
        if not self._climbs:
            return {**row, **looked_up}
        above = {"parent": _above(row["parent"], self._up, len(self._steps) - 1)} if self._up else {}
        return {**{name: value for name, value in row.items() if name != "parent"}, **looked_up, **above}


def _elements(record: Json, bare: Json, step: Each | Zipped) -> Iterator[tuple[Json, dict[str, Json]]]:
    """Each element with the field that holds its key."""
    if isinstance(step, Zipped):
        yield from ((row, {}) for row in _zipped(record, step))
        return
    found = bare if step.each == "@" else select.compile(step.each).search(record)
    if isinstance(found, dict):
        yield from ((value, {step.key_as: key} if step.key_as else {}) for key, value in found.items())
    elif isinstance(found, list):
        yield from ((value, {}) for value in found)
    elif found is not None:
        raise select.SelectError(f"each: {step.each} leads to one value, not to a list or a map")


def _zipped(record: Json, step: Zipped) -> Iterator[dict[str, Json]]:
    names, rows = (select.compile(path).search(record) or [] for path in (step.zip.names, step.zip.values))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise select.SelectError(f"zip needs a list of names at {step.zip.names}")
    if not isinstance(rows, list):
        raise select.SelectError(f"zip needs a list of rows at {step.zip.values}")
    for values in rows:
        if not isinstance(values, list) or len(values) != len(names):
            raise select.SelectError(f"zip needs rows of {len(names)} values at {step.zip.values}")
        yield dict(zip(names, values, strict=True))


def _row(value: Json) -> dict[str, Json]:
    """An element as a row: what is no object becomes its field `value`."""
    return dict(value) if isinstance(value, dict) else {"value": value}


def _above(record: Json, paths: Paths, depth: int) -> Json:
    """What is read of a record with so many others around it."""
    if not depth:
        return _prune(record, paths)
    up = frozenset(path[1:] for path in paths if path[:1] == ("parent",))
    own = {name: value for name, value in record.items() if name != "parent"}
    kept = _prune(own, paths - {path for path in paths if path[:1] == ("parent",)})
    return {**kept, "parent": _above(record["parent"], up, depth - 1)} if up else kept


def _prune(record: Json, paths: Paths) -> Json:
    if () in paths or any(path[:1] == ("*",) for path in paths) or not isinstance(record, dict):
        return record
    below = {name: frozenset(path[1:] for path in paths if path[0] == name) for name in {path[0] for path in paths}}
    return {name: _prune(record.get(name), below[name]) for name in sorted(below)}
