"""Comparisons: of texts, of numbers, and of what is not of one kind."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from engine.core.select.kinds import BOOLEAN, LIST, NULL, NUMBER, NUMERIC, OBJECT, SINGLE, STRING, Refused, link
from engine.core.select.values import EXACT, Make, Value, constant, doubts_of, number_of, truth_value

ORDERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def compared(sign: str, one: Value, other: Value, *, learning: bool) -> Value:
    """What a comparison of two values gives: true, false, or null where things have no order."""
    for value, literal in ((one, other), (other, one)):
        if sign in ("eq", "ne") and _is_only_text(literal) and value.place.as_text():
            return _of_texts(sign, one, other)
    _presume(one, other, sign, learning=learning)
    if sign in ORDERS and NULL in (one.kind, other.kind):
        return _nothing(one, other)
    if one.place.is_open or other.place.is_open:
        if not learning and NULL not in (one.kind, other.kind):
            raise Refused("of what kind the compared values are is not known")
        return truth_value(_is_null(one if other.kind == NULL else other, sign), one, other)
    found = _equal(sign, one, other) if sign in ("eq", "ne") else _ordered(sign, one, other)
    constant_too = one.constant and other.constant
    return replace(found, constant=constant_too)


def _presume(one: Value, other: Value, sign: str, *, learning: bool) -> None:
    """What is compared is of one kind, as long as nothing else was seen."""
    for unknown, known in ((one, other), (other, one)):
        if unknown.place.is_open and known.kind in (*SINGLE, LIST):
            unknown.place.settle(NUMBER if known.kind in NUMERIC else known.kind)
    if one.place.is_open and other.place.is_open and NULL not in (one.kind, other.kind):
        link(one.place, other.place)
        if not learning:
            one.place.settle(STRING if sign in ("eq", "ne") else NUMBER)
    for value in (one, other):
        if not value.place.is_open:
            value.place.settle(NUMBER)


def _is_null(value: Value, sign: str) -> Make:
    return (lambda item: value.of(item).is_null()) if sign == "eq" else (lambda item: value.of(item).is_not_null())


def _equal(sign: str, one: Value, other: Value) -> Value:
    kinds = {one.kind, other.kind}
    if kinds <= {*NUMERIC}:
        return _of_numbers(sign, one, other)
    if kinds in ({STRING}, {BOOLEAN}):
        return _of_texts(sign, one, other)
    if NULL in kinds:
        return truth_value(_is_null(other if one.kind == NULL else one, sign), one, other)
    for value, empty in ((one, other), (other, one)):
        if empty.literal == [] and value.kind == LIST:
            return truth_value(_is_empty(value, sign), one, other)
    if kinds & {LIST, OBJECT}:
        raise Refused("it compares lists or objects as a whole, and only the parts that are named are read of them")
    if not kinds <= {*SINGLE}:
        raise Refused("values of various kinds are not compared")

    def both_null(value: pl.Expr) -> pl.Expr:
        neither = one.of(value).is_null() & other.of(value).is_null()
        return neither if sign == "eq" else ~neither

    return truth_value(both_null, one, other)


def _of_texts(sign: str, one: Value, other: Value) -> Value:
    if sign == "eq":
        return truth_value(lambda value: one.of(value).eq_missing(other.of(value)), one, other)
    return truth_value(lambda value: one.of(value).ne_missing(other.of(value)), one, other)


def _is_only_text(value: Value) -> bool:
    """Whether it is a literal text that no number and no boolean has: it can be looked for in values of any kind."""
    if not isinstance(value.literal, str) or value.literal in ("true", "false"):
        return False
    try:
        float(value.literal)
    except ValueError:
        return True
    return False


def _is_empty(value: Value, sign: str) -> Make:
    def test(item: pl.Expr) -> pl.Expr:
        empty = (value.of(item).list.len() == 0).fill_null(False)
        return empty if sign == "eq" else ~empty

    return test


def _of_numbers(sign: str, one: Value, other: Value) -> Value:
    left, right = number_of(one), number_of(other)

    def test(value: pl.Expr) -> pl.Expr:
        if sign == "eq":
            return left(value).eq_missing(right(value))
        if sign == "ne":
            return left(value).ne_missing(right(value))
        found: pl.Expr = ORDERS[sign](left(value), right(value))
        return found

    found = truth_value(test, one, other, nullable=sign in ORDERS)
    if one.constant or other.constant:  # below 2^53, so that no rounding takes another number across it
        return found
    return replace(found, doubts=(*found.doubts, lambda value: (left(value).abs() >= EXACT).fill_null(False)))


def _ordered(sign: str, one: Value, other: Value) -> Value:
    kinds = {one.kind, other.kind}
    if kinds <= {*NUMERIC}:
        return _of_numbers(sign, one, other)
    if kinds == {STRING}:
        compare = ORDERS[sign]
        return truth_value(lambda value: compare(one.of(value), other.of(value)), one, other, nullable=True)
    if not kinds <= {*SINGLE, LIST, OBJECT, NULL}:
        raise Refused("values of various kinds are not compared")
    return _nothing(one, other)


def _nothing(one: Value, other: Value) -> Value:
    return replace(constant(None), doubts=doubts_of(one, other))
