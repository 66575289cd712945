"""What an endpoint is repeated for: the values of its aliases, each combination of them once, in plan order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from engine.core import jsontext, select
from engine.core.errors import CollectionError, Json
from engine.core.values import param_of
from engine.spec.foreach import Parent

T = TypeVar("T")
Binding = Mapping[str, Json]
"""Alias -> the fields of the parent record that are used below it; a list of these where the alias is a group."""
WHOLE = frozenset("*")


@dataclass(frozen=True)
class Origins:
    """Where parents come from."""

    records: Callable[[str], Iterable[tuple[Json, Binding]]]
    """The records of an endpoint, each with the binding of its unit."""
    rows: Callable[[str], Iterable[Json]]
    """The rows of a published table."""
    params: Mapping[str, Json]

    def of(self, source: Parent) -> Iterable[tuple[Json, Binding]]:
        """The records of one source, each with what is at hand above it. Raises CollectionError."""
        if source.endpoint:
            return self.records(source.endpoint)
        if source.table:
            return ((row, {}) for row in self.rows(source.table))
        return ((value, {}) for value in source.values or self._listed(param_of(source.param or "") or ""))

    def _listed(self, name: str) -> list[Json]:
        if self.params.get(name) is None:
            text = f'param "{name}" is not set, so there is nothing to repeat for'
            raise CollectionError(text, f"set it with -p {name}=…, or take it out of the union")
        return list(self.params[name])


@dataclass(frozen=True)
class Combination:
    """The values of some aliases, and what `when_changed` read of their records."""

    binding: Binding
    changed: tuple[str, ...] = ()


def combinations(
    parents: Mapping[str, Parent], used: Mapping[str, frozenset[str]], origins: Origins
) -> Iterator[Combination]:
    """Each combination of the aliases; where two of them have a parent in common, those below the same one."""
    found: Iterable[Combination] = [Combination({})]
    for alias, parent in parents.items():
        values = _values(alias, parent, used.get(alias, frozenset()) | frozenset(parent.by), origins)
        found = _times(found, alias, values)
    return iter(found)


def _values(alias: str, parent: Parent, used: frozenset[str], origins: Origins) -> Iterator[Combination]:
    """Each value of an alias once, with what is at hand above it."""
    seen = set[str]()
    for source in parent.sources:
        conditions = [select.compile(one) for one in dict.fromkeys((source.where, parent.where)) if one]
        take = select.compile(source.take) if source.take else None
        moved = select.compile(source.when_changed) if source.when_changed else None
        for record, above in origins.of(source):
            if not all(condition.search(record) for condition in conditions):
                continue
            taken = take.search(record) if take else record
            if taken is None:
                continue
            binding = {**above, alias: _trimmed(taken, used)}
            key = jsontext.canonical(_known_by(binding[alias], parent) if parent.by else binding)
            if key not in seen:
                seen.add(key)
                yield Combination(binding, (jsontext.canonical(moved.search(record)),) if moved else ())


def _times(found: Iterable[Combination], alias: str, values: Iterable[Combination]) -> Iterator[Combination]:
    """Each combination with each value of an alias that has the same parents above it."""
    siblings: dict[str, list[Combination]] = {}
    for value in values:
        above = {name: one for name, one in value.binding.items() if name != alias}
        siblings.setdefault(jsontext.canonical(above), []).append(value)
    names = {name for some in siblings.values() for name in some[0].binding}
    agreeing: dict[str, list[Combination]] = {}
    for one in found:
        shared = {name: value for name, value in one.binding.items() if name in names}
        key = jsontext.canonical(shared)
        if key not in agreeing:
            alike = [some for some in siblings.values() if _agrees(some[0].binding, shared)]
            agreeing[key] = [value for some in alike for value in some]
        for value in agreeing[key]:
            yield Combination({**one.binding, **value.binding}, one.changed + value.changed)


def _agrees(binding: Binding, shared: Binding) -> bool:
    return all(binding.get(name, value) == value for name, value in shared.items())


def _trimmed(record: Json, used: frozenset[str]) -> Json:
    """The fields of a parent record that are named below it."""
    if used >= WHOLE or not isinstance(record, dict):
        return record
    return {name: record.get(name) for name in sorted(used)}


def named(binding: Binding, parents: Mapping[str, Parent], own: Iterable[str]) -> str:
    """The name of a partition: a hash of the parents it is about, of those with `by` by these fields alone.

    Where each of its `own` parents has `by`, what is above them does not count: they are the same below another.
    """
    alone = set(own) if all(parents[alias].by for alias in own) else set()
    counted = [alias for alias in binding if alias in (alone or parents)]
    known = {alias: _known_by(binding[alias], parents[alias]) for alias in counted}
    return hashlib.sha256(jsontext.canonical(known).encode()).hexdigest()[:16]


def _known_by(value: Json, parent: Parent) -> Json:
    if parent.group and isinstance(value, list):
        return [_known_by(one, parent) for one in value]
    return [value.get(name) for name in parent.by] if parent.by and isinstance(value, dict) else value


def grouped(
    parents: Mapping[str, Parent], pairs: Iterable[tuple[Binding, T]]
) -> Iterator[tuple[Binding, T, list[Binding]]]:
    """The bindings of units, with those that each is made of: an alias with `group` becomes a list.

    Only those stand in a group whose other aliases, and what is to be asked of them, are equal.
    """
    alias, size = next(((name, one.group) for name, one in parents.items() if one.group), ("", None))
    if size is None:
        yield from ((binding, asked, [binding]) for binding, asked in pairs)
        return
    alike: dict[tuple[str, T], list[Binding]] = {}
    for binding, asked in pairs:
        others = {name: value for name, value in binding.items() if name != alias}
        alike.setdefault((jsontext.canonical(others), asked), []).append(binding)
    for (_, asked), members in alike.items():
        for at in range(0, len(members), size):
            some = members[at : at + size]
            yield {**some[0], alias: [one[alias] for one in some]}, asked, some
