"""Expressions turned inside out: what is grown from a path has a value where the path looks."""

from random import Random

import pytest

from engine.author.simulate.facts import Facts
from engine.author.simulate.make import Maker, Scene
from engine.author.simulate.shape import Shape, grow, settle
from engine.core import select

EXPRESSIONS = [
    "a",
    "a.b.c",
    '"with-dash"."with dot."',
    "a[0].b",
    "a[2]",
    "a[].b",
    "a[].b[].c",
    "a[*].b",
    "a[1:]",
    "m.*.v",
    "keys(m)",
    "values(m)[].v",
    "a[?k=='v'].b",
    "a[?k=='v' && l==`3`].b | [0]",
    "a[?k=='v' || k=='w'].b",
    "x || y",
    "not_null(x, y)",
    "to_number(a.n)",
    "join('/', [a, b])",
    "[a, b[].c][]",
    "[a, b][].c[].d",
    "{n: a.b, m: c}.n",
    "max_by(a, &n).m",
    "sort_by(a, &n)[0].m",
    "map(&b, a)",
    "length(a)",
    "contains(a, 'x')",
    "a == 'v'",
    "a != `null` && b",
]


def _maker() -> Maker:
    facts = {"k": Facts("kind"), "n": Facts("number", type="integer")}
    return Maker(
        "thing",
        1e9,
        lambda shape: facts.get(shape.name, Facts(shape.name, needed=True)),
        lambda _: [],
        lambda _: None,
        {},
    )


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_grown_record_has_what_the_expression_reads(expression: str) -> None:
    shape = Shape()
    grow(shape, expression)
    settle(shape)
    records = [_maker().make(shape, Scene(Random(seed), 0.0)) for seed in range(5)]
    assert any(select.compile(expression).search(record) not in (None, []) for record in records)


def test_two_expressions_share_what_they_have_in_common() -> None:
    shape = Shape()
    one, two = grow(shape, "a.b"), grow(shape, "a.c")
    assert (["a"], ["b", "c"]) == (list(shape.fields), list(shape.fields["a"].fields))
    assert one.shapes != two.shapes
