"""`show` and `raw`: what lies in the storage."""

import json
from pathlib import Path

import pytest

from tests.cli.shop import THINGS, Desk


@pytest.fixture
def full(desk: Desk) -> Desk:
    """The shop was collected, and its page is gone."""
    desk.engine("run", "shop")
    Path("pipelines/shop.yaml").unlink()
    return desk


def test_show_lists_the_tables_with_rows_and_completeness(full: Desk) -> None:
    lines = [line.split() for line in full.engine("show", "shop").stdout.splitlines()]
    assert ["things", "2", "3", "yes"] in [line[:4] for line in lines]


def test_show_prints_rows(full: Desk) -> None:
    lines = [line.split() for line in full.engine("show", "shop", "things").stdout.splitlines()]
    assert [["id", "name", "price"], ["1", "ball", "3.5"], ["3", "top"], ["2", "of", "2", "rows"]] == lines


def test_show_takes_a_condition_in_sql(full: Desk) -> None:
    answer = full.engine("show", "shop", "things", "--where", "price IS NULL", "--format", "jsonl")
    assert {"id": 3, "name": "top", "price": None} == json.loads(answer.stdout)


def test_show_limits_rows(full: Desk) -> None:
    assert (
        "id,name,price\n1,ball,3.5\n" == full.engine("show", "shop", "things", "--limit", "1", "--format", "csv").stdout
    )


def test_show_gives_the_rows_that_were_set_apart(full: Desk) -> None:
    answer = full.engine("show", "shop", "things", "--quarantine", "--format", "jsonl")
    row = json.loads(answer.stdout)
    assert ("range", "price is above 10", 1) == (row["rule"], row["says"], row["row"])


def test_a_mistake_in_a_condition_is_shown_with_a_caret(full: Desk) -> None:
    answer = full.engine("show", "shop", "things", "--where", "1 < pric")
    assert 2 == answer.return_value
    assert '"pric"; did you mean "price"?\n  1 < pric\n      ^' in answer.stderr


def test_a_condition_must_be_true_or_false(full: Desk) -> None:
    answer = full.engine("show", "shop", "things", "--where", "price + 1")
    assert 2 == answer.return_value
    assert "neither true nor false" in answer.stderr


def test_a_misspelt_table_gets_the_nearest(full: Desk) -> None:
    answer = full.engine("show", "shop", "thing")
    assert 2 == answer.return_value
    assert 'shop has no table "thing" in storage; did you mean "things"?' in answer.stderr


def test_what_a_vendor_wrote_does_not_move_the_cursor(desk: Desk) -> None:
    desk.shop.things = [{"id": 1, "name": "\x1b[2Jball", "price": 1.0}]
    desk.engine("run", "shop")
    shown = desk.engine("show", "shop", "things").stdout + desk.engine("raw", "shop", "things").stdout
    assert ("\x1b" in shown, "[2Jball" in shown) == (False, True)


def test_raw_prints_kept_pages_readable(full: Desk) -> None:
    head, *body = full.engine("raw", "shop", "things", "--page", "1").stdout.splitlines()
    assert head.startswith(f"page 1  GET {full.shop.url}/things?count=2&from=2  1 record  20")
    assert {"items": THINGS[2:]} == json.loads("\n".join(body))


def test_raw_gives_one_json_a_line(full: Desk) -> None:
    lines = full.engine("raw", "shop", "things", "--json").stdout.splitlines()
    assert [THINGS[:2], THINGS[2:]] == [json.loads(line)["answer"]["items"] for line in lines]


def test_raw_shows_what_was_added_to_the_records(full: Desk) -> None:
    lines = full.engine("raw", "shop", "parts", "--limit", "1", "--json").stdout.splitlines()
    assert [{"thing_id": 1}] == [json.loads(line)["add"] for line in lines]


def test_raw_of_an_unknown_endpoint_names_those_there_are(full: Desk) -> None:
    answer = full.engine("raw", "shop", "thins")
    assert 2 == answer.return_value
    assert 'did you mean "things"?\n  mend: kept are: parts, things' in answer.stderr


def test_raw_of_a_page_that_is_not_there_is_told(full: Desk) -> None:
    answer = full.engine("raw", "shop", "things", "--page", "99")
    assert (2, True) == (answer.return_value, "kept no page 99 of things\n  mend: it kept 2" in answer.stderr)


@pytest.mark.parametrize("words", [("show", "shop"), ("show", "shop", "things"), ("raw", "shop", "things")])
def test_what_was_only_simulated_is_pointed_at(desk: Desk, words: tuple[str, ...]) -> None:
    desk.engine("run", "shop", "--simulate")
    answer = desk.engine(*words)
    assert (2, True) == (answer.return_value, "add --storage storage-simulated" in answer.stderr)
    assert 0 == desk.engine(*words, "--storage", "storage-simulated").return_value


def test_a_tool_without_tables_is_not_taken_for_another(desk: Desk) -> None:
    Path("storage/processed_data/shop").mkdir(parents=True)
    assert "did you mean" not in desk.engine("show", "shop").stderr


def test_an_endpoint_that_is_not_there_brings_the_names(desk: Desk) -> None:
    assert "its endpoints are: things, parts" in desk.engine("collect", "shop", "--only", "xyz").stderr
