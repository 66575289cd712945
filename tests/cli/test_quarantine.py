"""`quarantine`: what is set apart is listed, brought back and waived."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shop import Desk

DAY = ("--until", "2199-01-31", "--because", "the vendor mends it")


@pytest.fixture
def full(desk: Desk) -> Desk:
    """The shop was collected: the price of one thing of three is above 10."""
    desk.engine("run", "shop")
    return desk


def _json(desk: Desk, *words: str) -> Any:
    return json.loads(desk.engine("quarantine", "shop", *words, "--json").stdout)


def _id(desk: Desk) -> str:
    return str(_json(desk)["rows"][0]["id"])


def test_what_is_set_apart_is_printed_with_its_rule_its_place_and_its_request(full: Desk) -> None:
    answer = full.engine("quarantine", "shop")
    assert 0 == answer.return_value
    text = " ".join(answer.stdout.split())
    for part in (
        "things range price 1 pipelines/shop.yaml:",
        f"{_id(full)} things range: price is above 10 (pipelines/shop.yaml:",
        'key {"id": 2} value 12.0',
        f"from GET {full.shop.url}/things?count=2&from=0, collected 2",
        "things page 0, row 1, of run 2",
        'record {"id": 2, "name": "kite", "price": 12.0}',
        "1 row of shop set apart now",
    ):
        assert part in text


def test_a_run_tells_what_it_set_apart_from_what_is_set_apart_in_all(desk: Desk) -> None:
    desk.page("    key: id\n", "    key: id\n    mode: upsert\n")
    assert "in all" not in desk.engine("run", "shop").stdout
    told = desk.engine("process", "shop").stdout
    assert "things 2 0 1 set apart in all" in " ".join(told.split())
    assert "1 row of shop set apart now" in desk.engine("quarantine", "shop").stdout


def test_json_holds_groups_and_rows_and_jsonl_the_rows_alone(full: Desk) -> None:
    told = _json(full)
    assert (1, [("things", "range", "price", 1)]) == (
        told["set_apart"],
        [(one["table"], one["rule"], one["column"], one["rows"]) for one in told["rules"]],
    )
    assert told["rows"] == [json.loads(full.engine("quarantine", "shop", "things", "--format", "jsonl").stdout)]


def test_other_rules_and_tables_have_nothing_set_apart(full: Desk) -> None:
    for words in (("things", "--rule", "unique"), ("--table", "parts")):
        answer = full.engine("quarantine", "shop", *words)
        assert (0, True) == (answer.return_value, answer.stdout.endswith("is set apart\n"))


def test_it_needs_no_page_to_be_looked_at(full: Desk) -> None:
    Path("pipelines/shop.yaml").unlink()
    assert 1 == _json(full)["set_apart"]


def test_a_release_says_how_many_rows_came_back(full: Desk) -> None:
    full.page("max: 10", "max: 12")
    answer = full.engine("quarantine", "shop", "--release")
    assert (0, True) == (answer.return_value, answer.stdout.startswith("things: 1 came back, 0 set apart\n"))
    assert "nothing of shop is set apart\n" == full.engine("quarantine", "shop").stdout


def test_a_row_is_waived_listed_and_set_apart_again(full: Desk) -> None:
    name = _id(full)
    told = full.engine("quarantine", "shop", "--waive", name, *DAY).stdout
    assert f"row {name} of things is let in until 2199-01-31; engine process shop makes the table with it\n" == told
    assert "1 waived" in full.engine("process", "shop").stdout
    assert ["holds", "2199-01-31", "the vendor mends it"] == [
        _json(full, "--waived")[0][name] for name in ("state", "until", "because")
    ]
    assert name in full.engine("quarantine", "shop", "--waived").stdout
    full.engine("quarantine", "shop", "--unwaive", name)
    full.engine("process", "shop")
    assert [name] == [row["id"] for row in _json(full)["rows"]]


def test_a_rule_is_waived(full: Desk) -> None:
    told = full.engine("quarantine", "shop", "--waive", "--rule", "range", "--table", "things", *DAY).stdout
    assert told.startswith("every row of things that breaks range is let in until 2199-01-31")
    full.engine("process", "shop")
    assert 0 == _json(full)["set_apart"]
    assert "nothing of other is waived\n" != full.engine("quarantine", "shop", "--unwaive", "things:range").stdout


def test_simulated_rows_are_waived_and_released_by_the_clock_of_the_simulation(desk: Desk) -> None:
    desk.engine("run", "shop", "--simulate")
    desk.page("max: 10", "max: -1")
    desk.engine("process", "shop", "--simulate")
    there = ("--storage", "storage-simulated")
    day = ("--until", "2026-01-16", "--because", "made up")
    desk.engine("quarantine", "shop", *there, "--waive", "--rule", "range", "--table", "things", *day)
    assert 0 < _json(desk, *there)["set_apart"]
    assert "things: " in desk.engine("quarantine", "shop", *there, "--release").stdout
    assert 0 == _json(desk, *there)["set_apart"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--waive", "abc"), "--waive needs --until"),
        (("--waive", *DAY), "--waive needs the ID of a row"),
        (("--until", "2027-01-01"), "need --waive"),
        (("--release", "--waived"), "each stand alone"),
    ],
)
def test_words_that_do_not_belong_together_are_refused(desk: Desk, words: tuple[str, ...], says: str) -> None:
    with pytest.raises(Exception, match=says):
        desk.engine("quarantine", "shop", *words)


def test_a_tool_of_which_nothing_is_there_is_named(desk: Desk) -> None:
    answer = desk.engine("quarantine", "shop")
    assert (2, True) == (answer.return_value, "has no tables of shop" in answer.stderr)
