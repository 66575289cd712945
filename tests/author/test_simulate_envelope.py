"""Where records stand in an answer: whatever expression finds them, it finds those that were put there."""

import pytest

from engine.author.simulate.envelope import Envelope
from engine.author.simulate.replies import reply
from engine.core import select
from engine.core.errors import Json

ROWS = [{"id": "a", "kind": "x", "at": 1}, {"id": "b", "kind": "y", "at": 2}]
EXPRESSIONS = [
    "@",
    "data",
    "data.items",
    "items[].node",
    "data[*]",
    "a[].b[].c",
    "results[0].rows",
    "permissions.*",
    "groups.*.member",
    "values(found)",
    "not_null(data, items)",
    "data[].{id: key, kind: about.kind, at: at}",
    "data[].merge(data.object, {kind: type, at: created})",
    "data[].merge(@, `{}`)",
    "[a.x[].merge(@, {kind: 'x'}), a.y[].merge(@, {kind: 'y'})][]",
    "[a.x, a.y][]",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_records_are_found_where_they_were_put(expression: str) -> None:
    assert ROWS == select.compile(expression).search(Envelope(expression).around(ROWS))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_no_records_are_an_empty_list(expression: str) -> None:
    assert [] == select.compile(expression).search(Envelope(expression).around([]))


def test_a_filter_finds_what_it_wants() -> None:
    envelope = Envelope("data[?type=='x'].attributes")
    assert [{"id": "a"}] == select.compile(envelope.records).search(envelope.around([{"id": "a"}]))


def test_a_record_that_is_made_of_the_whole_answer() -> None:
    record = {"lines": {"data": [1, 2]}, "of": "x"}
    envelope = Envelope("{lines: {data: data}, of: id}")
    assert ({"data": [1, 2], "id": "x"}, True) == (envelope.around([record]), envelope.is_one)


def test_what_an_expression_adds_is_part_of_the_record() -> None:
    envelope = Envelope("[a[].merge(@, {kind: 'x'}), b[].merge(@, {kind: 'y'})][]")
    assert {"kind": ["x", "y"]} == envelope.constants()


@pytest.mark.parametrize(
    ("holds", "fails", "gives"),
    [
        ("answer.state == 'DONE'", "answer.state == 'ERROR'", {}),
        ("answer.done", "answer.failed", {"answer.files[].url": ["a", "b"]}),
        ("contains(['a', 'b'], answer.jobs[0].state)", "answer.jobs[0].error", {"answer.jobs[0].id": ["7"]}),
        ("answer.progress == `100`", "answer.progress < `100`", {"headers.location": ["x"]}),
        ("!(answer.running)", "length(answer.errors) > `0`", {"answer.results[?kind=='csv'].url": ["u"]}),
        (
            "status == `200` && answer.left < `1`",
            "headers.\"x-error\" == 'yes'",
            {"answer.{id: a, part: b}": [{"id": "7", "part": "8"}]},
        ),
    ],
)
def test_an_answer_is_found_in_which_what_should_holds(holds: str, fails: str, gives: dict[str, list[Json]]) -> None:
    found = reply(holds=[holds], fails=[fails], gives=gives)
    assert found
    assert (True, False) == (found.meets(holds), found.meets(fails))
    root = {"answer": found.answer, "headers": found.headers}
    read = {expression: select.compile(expression).search(root) for expression in gives}
    assert {e: values if "[]" in e or "?" in e else values[0] for e, values in gives.items()} == read


def test_what_cannot_hold_has_no_answer() -> None:
    assert reply(holds=["answer.a == 'x'"], fails=["answer.a == 'x'"]) is None


def test_an_expression_that_lists_one_place_finds_the_one_record_there() -> None:
    envelope = Envelope("[r.i]")
    assert (True, {"r": {"i": {"id": 1}}}) == (envelope.is_one, envelope.around([{"id": 1}]))
