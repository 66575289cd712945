"""One row for each element deep inside a record: lists, maps, and names beside rows of values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from engine.core import jsontext, select
from engine.core.errors import Json
from engine.spec.model import Column, Each, Zipped

Path = tuple[str, ...]
Paths = frozenset[Path]


class Reshaper:
    """Turns the raw records of a page into the raw rows of a table; `parent.` reaches the record above."""

    def __init__(self, rows: Sequence[Each] | Zipped, columns: Iterable[Column]) -> None:
        self._rows = rows
        self._reads: Paths = frozenset(path for column in columns for path in select.compile(column.path).paths)

    def rows(self, raw: Iterable[bytes], add: Mapping[str, Json]) -> list[bytes]:
        """The rows of some records; raises SelectError where a path leads to neither list nor map."""
        found = []
        for one in raw:
            record = jsontext.read(one)
            if isinstance(record, dict):
                record |= add
            steps = [self._rows] if isinstance(self._rows, Zipped) else self._rows
            found += [jsontext.write(row) for row in self._down(record, steps, self._needed(len(steps)))]
        return found

    def _needed(self, depth: int) -> list[Paths]:
        """What is read of the record at each depth, the outermost first."""
        levels = [self._reads]
        for _ in range(depth):
            levels.append(frozenset(path[1:] for path in levels[-1] if path[:1] == ("parent",)))
        return levels[:0:-1]

    def _down(self, record: Json, steps: Sequence[Each | Zipped], needed: Sequence[Paths]) -> Iterator[Json]:
        if not steps:
            yield record
            return
        above = {"parent": _prune(record, needed[0])} if needed[0] else {}
        for element in _elements(record, steps[0]):
            yield from self._down({**element, **above}, steps[1:], needed[1:])


def _elements(record: Json, step: Each | Zipped) -> Iterator[dict[str, Json]]:
    if isinstance(step, Zipped):
        yield from _zipped(record, step)
        return
    found = select.compile(step.each).search(record)
    if isinstance(found, dict):
        for key, value in found.items():
            yield {**_row(value), **({step.key_as: key} if step.key_as else {})}
    elif isinstance(found, list):
        yield from (_row(value) for value in found)
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


def _prune(record: Json, paths: Paths) -> Json:
    if () in paths or any(path[:1] == ("*",) for path in paths) or not isinstance(record, dict):
        return record
    return {name: record.get(name) for name in sorted({path[0] for path in paths})}
