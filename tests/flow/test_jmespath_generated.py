"""Generated JMESPath expressions and documents: Polars gives what jmespath.py gives, or did not try."""

from __future__ import annotations

from random import Random

import pytest

from tests.flow.differential import Case, Tally, compare, ended, run, smallest, tell

KNOWN = 20_261_123


def _faults(tally: Tally) -> list[str]:
    """What disagrees or breaks, each as small as it can be made."""
    return [tell(smallest(case)) for case in (*tally.disagreements, *tally.crashes)]


def test_a_thousand_cases_agree() -> None:
    tally = run(2_000, Random(KNOWN), enough=1)
    assert [] == _faults(tally)
    assert tally.cases >= 1_000
    assert tally.with_value >= 200


def test_some_cases_that_were_never_tried_agree() -> None:
    seed = Random().randrange(10**9)
    assert (seed, []) == (seed, _faults(run(200, Random(seed), enough=1)))


@pytest.mark.slow
def test_ten_thousand_cases_agree() -> None:
    tally = run(10_000, Random(KNOWN + 1), enough=1)
    assert [] == _faults(tally)
    assert tally.with_value >= 1_000


@pytest.mark.parametrize(
    ("path", "kind", "documents", "expected"),
    [
        ("a", "string", ['{"a": 1.10}', '{"a": true}', "{}"], ["1.1", "true", None]),
        ("a[].b", "list", ['{"a": [{"b": 1}, {}, null]}'], [["1"]]),
        ("a", "string", ['{"a": {}}', '{"a": "x"}'], ["<refused>", "x"]),
        ("a", "integer", ['{"a": 5.5}', '{"a": 5}'], ["<refused>", 5]),
        ("{b: a}", "json", ['{"a": 1}'], [{"b": 1}]),
    ],
)
def test_both_ways_are_told_apart(path: str, kind: str, documents: list[str], expected: list[object]) -> None:
    outcome = compare(Case.of(path, kind, *documents))
    assert (expected, expected) == (outcome.expected, outcome.found)


@pytest.mark.parametrize(
    ("path", "kind", "document"),
    [
        ("to_string(b)", "string", '{"c": 1E400}'),
        ("[d, d[0]]", "list", '{"d": [1]}'),
        ("avg(a)", "string", "{}"),
        ("reverse(a)", "list", "{}"),
        ("sum([a, b])", "json", '{"a": 0.5, "b": 5}'),
        ("avg(a || b)", "float", '{"a": [0.5], "b": [5.0]}'),
        ("a[]", "json", '{"a": [1e22]}'),
        ("b || d", "json", '{"d": 5.0}'),
        ("length(a)", "integer", '{"a": "e\u0301😀"}'),
        ("a > `9007199254740992`", "boolean", '{"a": 9007199254740993}'),
    ],
)
def test_what_was_found_once_agrees(path: str, kind: str, document: str) -> None:
    assert compare(Case.of(path, kind, document)).agree


def test_what_jmespath_was_asked_is_known() -> None:
    asked = [list(compare(Case.of(path, "list", '{"a": [{"b": 1}]}')).asked) for path in ("a[].b", "a[].b | values(@)")]
    assert [[False], [True]] == asked


# JSON leaves open which of the two counts: the one known disagreement, which no check can see.
TWICE = '{"a": 1, "a": 2}'


def test_a_case_that_disagrees_is_made_small() -> None:
    case = Case([("z", "json"), ("b && a || a | @", "string")], [["{}"], ['{"a": "x", "b": {"c": 1}}', TWICE]])
    assert Case([("a", "string")], [[TWICE]]) == smallest(case)


def test_a_disagreement_is_told_with_what_both_give() -> None:
    assert ["a   as string", f"  {TWICE}", "  jmespath.py ['2']", "  Polars      ['1']"] == tell(
        Case.of("a", "string", TWICE)
    ).splitlines()


def test_a_long_run_ends_with_an_error_where_it_shows_nothing() -> None:
    said, status = ended(Tally(cases=100, with_value=1))
    assert (1, True) == (status, "this shows nothing" in said)


def test_a_long_run_ends_with_an_error_where_something_breaks() -> None:
    case = Case.of("a", "string", TWICE)
    assert [0, 1, 1] == [
        ended(Tally(cases=100, with_value=50))[1],
        ended(Tally(cases=100, with_value=50, crashes=[case]))[1],
        ended(Tally(cases=100, with_value=50, disagreements=[case]))[1],
    ]
