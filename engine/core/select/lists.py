"""What is taken out of lists: elements, slices, projections, filters, and lists in lists made flat."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from engine.core.select.expression import Tree
from engine.core.select.fields import TEXT, spellable
from engine.core.select.kinds import INTEGER, LIST, NULL, Place, Refused
from engine.core.select.values import TRUTH, Reading, Value, constant, over, same, truth_of


def _is_list(value: Value) -> bool:
    """Whether a value is a list; the projection of anything else is null."""
    return value.place.settle(LIST) == LIST


def _count(*numbers: int | None) -> None:
    """Refuse numbers that columns do not count to. Raises Refused."""
    if any(number is not None and abs(number) >= 2**31 for number in numbers):
        raise Refused("numbers of elements from 2^31 on are not translated")


def index(t: Reading, node: Tree, at: Place, wanted: str | None) -> Value:
    """`a[0]`: the element, counted from the end where the number is negative."""
    _count(node["value"])
    if at.settle(LIST) != LIST:
        return constant(None)
    return Value(at.inside(), lambda value: value.list.get(node["value"], null_on_oob=True))


def lookup(t: Reading, node: Tree, at: Place, wanted: str | None) -> Value:
    """`a[number]`: the element whose number is a field of the record."""
    name = node["value"]
    if t.inside or not spellable(name):
        raise Refused("elements whose number is a field of the record are read of the record itself only")
    if at.settle(LIST) != LIST:
        return constant(None)
    kind = t.record.at(name).settle(INTEGER)
    if kind != INTEGER:
        raise Refused(f"{name} holds other things than whole numbers")
    number = pl.col(name).cast(pl.Int64, strict=False)
    wanted_number = pl.when(number >= 0).then(number)
    return Value(at.inside(), lambda value: value.list.get(wanted_number, null_on_oob=True))


def cut(t: Reading, node: Tree, at: Place, wanted: str | None) -> Value:
    """`a[1:5:2]`: as Python cuts lists."""
    start, stop, step = node["children"]
    _count(start, stop, step)
    step = 1 if step is None else step
    if at.settle(LIST) != LIST:
        return constant(None)

    def made(value: pl.Expr) -> pl.Expr:
        if step < 0:
            value = value.list.reverse()
        length = value.list.len().cast(pl.Int64)
        first = pl.lit(0) if start is None else _bound(start, length, backwards=step < 0)
        last = length if stop is None else _bound(stop, length, backwards=step < 0)
        found = value.list.slice(first, pl.max_horizontal(last - first, pl.lit(0)))
        return found if abs(step) == 1 else found.list.gather_every(abs(step))

    return Value(at, made)


def _bound(bound: int, length: pl.Expr, *, backwards: bool) -> pl.Expr:
    """A bound of a slice counted from the beginning, or from the end where the list is read backwards."""
    number = pl.lit(bound) if bound >= 0 else length + bound
    return ((length - 1 - number) if backwards else number).clip(0, length)


def projection(t: Reading, node: Tree, at: Place, wanted: str | None) -> Value:
    """`a[*].b`: of each element what is not null."""
    source, target = node["children"]
    items = t.read(source, at)
    if items.constant or not _is_list(items):
        return _of_no_list(items)
    each = t.each(target, items.place.inside())
    place = Place(LIST, element=each.place)
    if each.of is same:
        return Value(place, lambda value: items.of(value).list.drop_nulls(), doubts=items.doubts)
    return Value(
        place,
        lambda value: items.of(value).list.eval(each.of(pl.element()).drop_nulls()),
        doubts=over(items, each),
    )


def _of_no_list(items: Value) -> Value:
    if items.constant and items.kind != NULL:
        raise Refused("projections of lists written in the expression are not translated")
    return replace(constant(None), doubts=items.doubts)


def filter(t: Reading, node: Tree, at: Place, wanted: str | None) -> Value:
    """`a[?b].c`: of each element that passes what is not null."""
    source, target, condition = node["children"]
    items = t.read(source, at)
    if items.constant or not _is_list(items):
        return _of_no_list(items)
    passing = t.tested(t.each(condition, items.place.inside(), TRUTH))
    test, each = truth_of(passing), t.each(target, items.place.inside())

    def kept(item: pl.Expr) -> pl.Expr:
        return each.of(item.filter(test(item))).drop_nulls()

    doubts = (*over(items, passing), *over(replace(items, doubts=()), each, test=test))
    return Value(
        Place(LIST, element=each.place), lambda value: items.of(value).list.eval(kept(pl.element())), doubts=doubts
    )


def flatten(t: Reading, node: Tree, at: Place, wanted: str | None) -> Value:
    """`a[]` is presumed a list of what is no list, `a[].b[]` lists in a list: the second [] stands there for a reason.

    Inner lists that are empty or null come out as nulls; the projection behind drops them.
    """
    [source] = node["children"]
    items = t.read(source, at)
    if items.constant or not _is_list(items):
        return _of_no_list(items)
    element = items.place.inside()
    if element.is_open and not source["type"].endswith("projection"):
        element.single = True
    elif element.is_open:
        element.settle(LIST)
    if element.is_open or element.settle(TEXT) != LIST:
        return items
    place = Place(LIST, element=element.inside())
    return Value(place, lambda value: items.of(value).list.eval(pl.element().explode()), doubts=items.doubts)
