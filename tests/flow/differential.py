"""Polars against jmespath.py: a batch of documents read by the reader of tables, and each by jmespath.py alone."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import polars as pl

from engine.core import jsontext, select
from engine.core.errors import Mistake
from engine.core.select.expression import Selection
from engine.flow.columns import Wanted, reading, text_of, typed
from engine.flow.frames import AT, Reader
from engine.flow.slices import Slice
from tests.flow.expressions import TYPES, Documents, Expressions, hint

REFUSED = "<refused>"
"""Stands for a record that is set apart."""
NOTHING: Sequence[Any] = (None, REFUSED, [], {})
NAMED = r"^.*(?= is read as)|(?<=the name )\".*\"|^.*(?= holds other)|(?<=raises for ).*"
UNREADABLE = "<no JSON to msgspec>"
"""Stands for a record with a number beyond all floats, which some readers look at and some skip."""
BATCHES = ((20, 0.0, 0.0), (20, 0.0, 0.1), (20, 0.01, 0.05), (6, 0.35, 0.1))
"""Documents of a slice, the share of their values that are anything at all, and that of nulls and missing fields."""
TOKEN = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\w+|\[\?|&&|\|\||[=!<>]=|\s+|.""")


@dataclass(frozen=True)
class Case:
    """Columns that are read from slices of documents by one reader."""

    columns: Sequence[tuple[str, str]]
    """Path and type of each."""
    slices: Sequence[Sequence[str]]
    added: Sequence[str] = ()
    """Fields that are not read of the documents but added to them, with the values that they have there."""

    @classmethod
    def of(cls, path: str, kind: str, *documents: str) -> Case:
        """One column of one slice."""
        return cls([(path, kind)], [documents])

    @property
    def wanted(self) -> list[Wanted]:
        return [Wanted(f"v{at}", path, kind) for at, (path, kind) in enumerate(self.columns)]

    @property
    def documents(self) -> list[str]:
        return [document for one in self.slices for document in one]


@dataclass(frozen=True)
class Outcome:
    """What both give for each document, and for which of them the reader asked jmespath.py."""

    expected: Sequence[Any]
    found: Sequence[Any]
    asked: Sequence[bool]
    refusals: Sequence[str]

    @property
    def agree(self) -> bool:
        """Whether both give the same for each document that can be read at all."""
        pairs = zip(self.expected, self.found, strict=True)
        return all(repr(expected) == repr(found) for expected, found in pairs if expected != UNREADABLE)


def compare(case: Case) -> Outcome:
    """Read the documents both ways."""
    expected = by_hand(case.wanted, [_added_to(document, case.added) for document in case.documents])
    with watched() as seen:
        found = by_reader(case.wanted, case.slices, case.added)
    asked = [_read(_added_to(document, case.added)) in seen for document in case.documents]
    return Outcome(expected, found, asked, list(reading(case.wanted, added=frozenset(case.added)).slow.values()))


def by_hand(wanted: Sequence[Wanted], documents: Sequence[str]) -> list[Any]:
    """The row that jmespath.py alone makes of each document; of one column its value."""
    return [_row([_expected(one, document) for one in wanted]) for document in documents]


def by_reader(wanted: Sequence[Wanted], slices: Sequence[Sequence[str]], added: Sequence[str] = ()) -> list[Any]:
    """The same by the reader of tables."""
    reader, start, pieces = Reader(reading(wanted), (), frozenset(added)), 0, []
    for documents in slices:
        beside = {name: [_value(document).get(name) for document in documents] for name in added}
        pieces.append(Slice(start, [_without(document, added) for document in documents], beside))
        start += len(documents)
    found: list[Any] = [None] * start
    for rows in map(reader.read, pieces):
        for at, *values in rows.frame.select(AT, *(one.name for one in wanted)).iter_rows():
            found[at] = _row([_plain(value, one.type) for one, value in zip(wanted, values, strict=True)])
        for reject in rows.rejects:
            found[reject.at] = REFUSED
    return found


def _added_to(document: str, added: Sequence[str]) -> str:
    """The document with the fields that are added, which are there also where there is nothing to add."""
    if not added:
        return document
    value = _value(document)
    return jsontext.write(
        {**jsontext.read(_without(document, added)), **{name: value.get(name) for name in added}}
    ).decode()


def _without(document: str, added: Sequence[str]) -> bytes:
    if not added:
        return document.encode()
    return jsontext.write({name: value for name, value in _value(document).items() if name not in added})


def _value(document: str) -> Any:
    return jsontext.read(document.encode())


def _row(values: list[Any]) -> Any:
    """What stands for a record: nothing where one of its values is refused."""
    away = next((one for one in (UNREADABLE, REFUSED) if one in values), None)
    return away or (values[0] if len(values) == 1 else values)


def _expected(wanted: Wanted, document: str) -> Any:
    """What jmespath.py finds in a document, as a value of the column."""
    try:
        found = text_of(select.compile(wanted.path).search(_value(document)), wanted.type)
    except jsontext.NoJson:
        return UNREADABLE
    except select.SelectError:
        return REFUSED
    if found is None or wanted.type in ("string", "list", "json"):
        return _plain(found, wanted.type)
    [value] = pl.DataFrame({wanted.name: [found]}).select(typed(wanted)).to_series()
    return REFUSED if value is None else value


def _plain(value: Any, kind: str) -> Any:
    """JSON as its value: a number may be written in two ways."""
    return json.loads(value) if kind == "json" and value is not None else value


def _read(document: str) -> str:
    """The document as jmespath.py is given it, in a form of which equal ones have one."""
    try:
        return jsontext.canonical(_value(document))
    except jsontext.NoJson:
        return UNREADABLE


@contextmanager
def watched() -> Iterator[set[str]]:
    """Notes the documents that jmespath.py is applied to."""
    seen, search = {UNREADABLE}, Selection.search

    def noting(self: Selection, document: Any) -> Any:
        seen.add(jsontext.canonical(document))
        return search(self, document)

    Selection.search = noting  # type: ignore[method-assign]  # it only notes
    try:
        yield seen
    finally:
        Selection.search = search  # type: ignore[method-assign]  # as it was


def cases(chance: Random) -> Iterator[Case]:
    """Cases without end: mostly one column, now and then several, or with fields that are added to records."""
    expressions = Expressions(chance)
    while True:
        paths = [expressions.one() for _ in range(chance.choice((1, 1, 1, 2, 4)))]
        try:
            expected = hint(*paths)
        except Mistake:
            continue
        sources = [(Documents(chance, wrong, holes), count) for count, wrong, holes in BATCHES]
        slices = [[source.one(expected) for _ in range(count)] for source, count in sources]
        kinds = [chance.choice(_types(path, slices[0]) if chance.random() < 0.8 else TYPES) for path in paths]
        added = ["a"] if "a" in expected.fields and chance.random() < 0.1 else []
        if added and any("1E400" in document for one in slices for document in one):
            continue  # cut in two, it is read by some readers that refuse it whole
        yield Case(list(zip(paths, kinds, strict=True)), slices, added)


def _types(path: str, documents: Sequence[str]) -> Sequence[str]:
    """The types that an author would declare, having seen what comes."""
    found = set()
    for document in documents:
        try:
            found.add(type(select.compile(path).search(jsontext.read(document.encode()))))
        except (select.SelectError, jsontext.NoJson):
            continue
    if list in found:
        return ("list", "list", "list", "json")
    if dict in found:
        return ("json",)
    return {bool: ("boolean", "string"), int: ("integer", "string", "float")}.get(
        next(iter(found - {type(None)}), str), ("string", "string", "json")
    )


@dataclass
class Tally:
    """What came of many cases, counted by documents."""

    cases: int = 0
    expressions: int = 0
    translated: int = 0
    by_polars: int = 0
    with_value: int = 0
    apart: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    disagreements: list[Case] = field(default_factory=list)
    crashes: list[Case] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """Compare, and count."""
        self.cases += len(case.documents)
        self.expressions += len(case.columns)
        try:
            outcome = compare(case)
        except Exception:  # whatever it is, it is told at the end
            self.crashes.append(case)
            return
        self.translated += len(case.columns) - len(outcome.refusals)
        self.refusals.update(re.sub(NAMED, "…", reason) for reason in outcome.refusals)
        values = [value for value, asked in zip(outcome.found, outcome.asked, strict=True) if not asked]
        if not outcome.refusals:
            self.by_polars += len(values)
            self.with_value += sum(value not in NOTHING for value in values)
        self.apart += sum(value == REFUSED for value in outcome.found)
        if not outcome.agree:
            self.disagreements.append(case)


def run(count: int, chance: Random, *, enough: int = 25) -> Tally:
    """So many cases, or until enough of them disagree."""
    tally = Tally()
    for case in cases(chance):
        tally.add(case)
        if tally.cases >= count or len(tally.disagreements) + len(tally.crashes) >= enough:
            break
    return tally


def smallest(case: Case) -> Case:
    """The case with as little as still disagrees: columns, documents, their parts, and parts of the expressions."""
    while shrunk := next((one for one in _smaller(case) if _disagrees(one)), None):
        case = shrunk
    return case


def _smaller(case: Case) -> Iterator[Case]:
    yield from (replace(case, columns=less) for less in _shorter(case.columns) if less)
    yield from (replace(case, slices=less) for less in _shorter(case.slices) if less)
    for at, documents in enumerate(case.slices):
        yield from (replace(case, slices=_put(case.slices, at, less)) for less in _shorter(documents) if less)
    for at, (path, kind) in enumerate(case.columns):
        tokens = TOKEN.findall(path)
        for width in range(len(tokens) - 1, 0, -1):
            for first in range(len(tokens) - width + 1):
                less = "".join(tokens[:first] + tokens[first + width :]).strip()
                yield replace(case, columns=_put(case.columns, at, (less, kind)))
    for at, documents in enumerate(case.slices):
        for number, document in enumerate(documents):
            for less in _less(json.loads(document)):
                yield replace(case, slices=_put(case.slices, at, _put(documents, number, json.dumps(less))))


def _shorter(many: Sequence[Any]) -> Iterator[list[Any]]:
    return ([*many[:at], *many[at + 1 :]] for at in range(len(many)))


def _put(many: Sequence[Any], at: int, one: Any) -> list[Any]:
    return [*many[:at], one, *many[at + 1 :]]


def _less(value: Any) -> Iterator[Any]:
    """The value with one part left out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield {other: one for other, one in value.items() if other != name}
            yield from ({**value, name: less} for less in _less(inner))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield [*value[:at], *value[at + 1 :]]
            yield from (_put(value, at, less) for less in _less(inner))


def _disagrees(case: Case) -> bool:
    try:
        return not compare(case).agree
    except Mistake:
        return False
    except Exception:  # a crash is what is looked for, too
        return True


def table(tally: Tally) -> str:
    """The tally as a Markdown table."""
    share = f"{100 * tally.translated / max(tally.expressions, 1):.1f} %"
    rows = [
        ("cases (an expression with a document)", f"{tally.cases:,}"),
        ("expressions", f"{tally.expressions:,}"),
        ("expressions translated", f"{tally.translated:,} ({share})"),
        ("cases worked out by Polars, jmespath.py not asked", f"{tally.by_polars:,}"),
        ("of these with a value that is not null", f"{tally.with_value:,}"),
        ("records set apart by both", f"{tally.apart:,}"),
        ("disagreements", f"{len(tally.disagreements):,}"),
        ("crashes", f"{len(tally.crashes):,}"),
    ]
    refused = [(f"refused: {reason}", f"{count:,}") for reason, count in tally.refusals.most_common()]
    return "\n".join(["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in [*rows, *refused])])


def tell(case: Case) -> str:
    """A case that disagrees, with what both give."""
    lines = [f"{path}   as {kind}" for path, kind in case.columns]
    lines += [f"  {document}" for document in case.documents] + [f"  {name} is added" for name in case.added]
    try:
        outcome = compare(case)
    except Exception as error:  # the crash is what is told
        return "\n".join([*lines, f"  crash: {type(error).__name__}: {error}"])
    return "\n".join([*lines, f"  jmespath.py {outcome.expected!r}", f"  Polars      {outcome.found!r}"])


def main(words: Sequence[str]) -> int:
    """Compare so many cases of a seed, and say what came of them."""
    parser = argparse.ArgumentParser(prog="just jmespath", description="Random JMESPath by Polars and by jmespath.py.")
    parser.add_argument("cases", type=int, nargs="?", default=100_000)
    parser.add_argument("seed", type=int, nargs="?", default=Random().randrange(10**9))
    given = parser.parse_args(words)
    count, seed = given.cases, given.seed
    if count < 1:
        parser.error("at least one case")
    sys.stdout.write(f"seed {seed}\n\n")
    said, status = ended(run(count, Random(seed)))
    sys.stdout.write(f"{said}\n")
    return status


def ended(tally: Tally) -> tuple[str, int]:
    """What came of the cases, and 1 where one disagrees, or where hardly any was worked out by Polars."""
    found = {tell(smallest(case)) for case in (*tally.disagreements, *tally.crashes)}
    told = sorted(found, key=len)
    if vacuous := tally.with_value < tally.cases / 10:
        told.append("hardly any case was worked out by Polars with a value: this shows nothing")
    return "\n\n".join([table(tally), *told]), 1 if found or vacuous else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
