"""A few records that break the page's rules, so that quarantine and warnings have something to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from engine.author.simulate.form import Form
from engine.author.simulate.judge import Judge, rows_of
from engine.author.simulate.shape import Shape
from engine.core import select
from engine.core.errors import Json
from engine.core.kinds import Rule

ONE_IN, MOST = 60, 2
BAD_TEXTS = ("UNSPECIFIED", "?", "")
Records = Sequence[tuple[Json, Mapping[str, Json]]]
"""Records as they are served, with the fields that the engine adds."""


def plant(forms: Mapping[str, Form], records: Mapping[str, Records], judges: Mapping[str, Judge], seed: str) -> None:
    """Break a few values in place. Whatever breaks a rule beyond its tolerance is put back.

    Names that other records are found by are left alone.
    """
    sacred = set(_sacred(judges))
    for name, judge in judges.items():
        for number, rule in enumerate(judge.table.validate_):
            for made in (forms[one] for one in judge.table.from_ if one in forms):
                rng = Random(f"{seed} planted {name} {number} {made.name}")
                _break_rule(made, records[made.name], judges, judge, rule, sacred, rng)


def _sacred(judges: Mapping[str, Judge]) -> Iterator[tuple[str, str]]:
    """(table, column) whose values must stay: keys, and what rules of other tables look up."""
    for name, judge in judges.items():
        yield from ((name, column) for columns in judge.unique() for column in columns)
        for rule in judge.table.validate_:
            if reference := rule.refers():
                yield reference.table, reference.to
                if rule.level == "error" and not rule.tolerance.share:
                    yield name, reference.column


def _break_rule(
    made: Form,
    records: Records,
    judges: Mapping[str, Judge],
    judge: Judge,
    rule: Rule,
    sacred: set[tuple[str, str]],
    rng: Random,
) -> None:
    count = min(MOST, 1 + len(records) // ONE_IN)
    if rule.level == "error":
        count = min(count, int(rule.tolerance.share * len(records)))
    objects = [pair for pair in records if isinstance(pair[0], dict)]
    for column in rule.uses() if count and len(objects) >= 8 else ():
        path = select.compile(judge.table.columns[column].path).plain if column in judge.table.columns else None
        leaf = _leaf(made, path, judge.name, column)
        if path is None or leaf is None or leaf in made.needed or leaf in made.keys:
            continue
        if {(use.table, use.name) for use in leaf.uses} & sacred:
            continue
        for record, add in rng.sample(objects, count):
            _break(record, add, path, lambda whole: _only_this(whole, rule, judges, made), rule)


def _leaf(made: Form, path: Sequence[str] | None, table: str, column: str) -> Shape | None:
    """The single value that a column of the record itself reads."""
    found = [
        shape
        for shape in made.record.walk()
        if any(use.table == table and use.name == column and not use.nested for use in shape.uses)
    ]
    here: Shape | None = made.record if path else None
    for key in path or ():
        here = here.fields.get(key) if here else None
    return here if here is not None and here.kind == "leaf" and found == [here] else None


def _break(
    record: dict[str, Json],
    add: Mapping[str, Json],
    path: Sequence[str],
    suits: Callable[[Json], bool],
    rule: Rule,
) -> None:
    holder: Json = record
    for key in path[:-1]:
        holder = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(holder, dict) or path[-1] not in holder:
        return
    good = holder[path[-1]]
    for bad in _candidates(good, rule):
        holder[path[-1]] = bad
        if suits({**record, **add}):
            return
    holder[path[-1]] = good


def _candidates(good: Json, rule: Rule) -> list[Json]:
    if isinstance(good, (bool, list, dict)) or good is None:
        return []
    if rule.refers():
        return [f"{good}-retired"] if isinstance(good, str) else []
    if isinstance(good, (int, float)):
        return [-1, good * 1000 + 1]
    return ["-1", *BAD_TEXTS] if good.lstrip("-").replace(".", "").isdigit() else list(BAD_TEXTS)


def _only_this(record: Json, rule: Rule, judges: Mapping[str, Judge], made: Form) -> bool:
    """Whether the record now breaks this rule, and nothing that is not tolerated."""
    broken = bool(rule.refers())
    for name in made.tables:
        judge = judges[name]
        rows = list(rows_of(judge.table, record))
        for other, _, _ in judge.failing(rows):
            broken = broken or other is rule
            if other is not rule and other.level == "error":
                return False
        if any(contract.check(record) is not None for contract in judge.contracts):
            return False
    return broken
