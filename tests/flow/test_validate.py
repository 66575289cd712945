"""Good rows and bad rows: what goes to quarantine, what is counted, and what is said of a table as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import SpecError
from tests.flow.pages import Shop, made, told

COLUMNS = """
    columns:
      id: {{ path: id, type: integer }}
      name: {{ path: name, type: string }}
      score: {{ path: score, type: float }}
      tags: {{ path: tags, type: list }}
      at: {{ path: at, type: datetime }}
      up: {{ path: up, type: integer }}
      raw: {{ path: raw, type: json }}
"""
TABLE = "tables:\n  things:\n    from: things\n    key: id" + COLUMNS + "    {rest}\n"


def _shop(folder: Path, *rules: str, rest: str = "") -> Shop:
    return Shop(folder, TABLE.format(rest=f"validate: [{', '.join(rules)}]\n    {rest}"))


def _things(count: int, bad: int = 0) -> list[dict[str, Any]]:
    return [{"id": at, "score": 99 if at < bad else 1} for at in range(count)]


def test_a_row_that_breaks_three_rules_is_one_row_with_three_reasons(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ required: [name] }", "{ range: { column: score, max: 10 } }", "{ required: [at] }")
    result = made(shop, [{"id": 1, "score": 11}, {"id": 2, "name": "b", "score": 1, "at": "2026-01-01T00:00:00Z"}])
    assert (1, [2]) == (result.quarantined, shop.column("id"))
    assert ["required", "range", "required"] == [row["rule"] for row in shop.quarantine(result.run)]


def test_a_quarantined_row_says_what_broke_where_it_came_from_and_where_the_page_says_so(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ range: { column: score, max: 10 } }")
    run = shop.keep([{"id": 1, "score": 1}], [{"id": 2, "score": 2}, {"id": 3, "score": 99.5}])
    result = shop.process()
    [row] = shop.quarantine(result.run)
    lines = (tmp_path / "shop.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "range:" in text)
    record = json.loads(row.pop("record"))
    assert 12 == len(row.pop("id"))
    assert row.pop("about")
    assert (3, 99.5) == (record["id"], record["score"])
    assert {
        "rule": "range",
        "level": "error",
        "column": "score",
        "value": "99.5",
        "says": "score is above 10",
        "spec": f"{tmp_path}/shop.yaml:{line}:16",
        "key": '{"id":3}',
        "table": "things",
        "table_spec": f"{tmp_path}/shop.yaml:8:5",
        "endpoint": "things",
        "collected_in": run,
        "unit": "0000000-unit",
        "unit_page": 1,
        "page": 1,
        "request": "GET /things?page=1",
        "row": 1,
        "run": result.run,
        "at": "2026-06-15T12:00:00Z",
        "first": True,
    } == row


def test_a_rule_tells_what_is_wrong_with_each_of_its_columns(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ required: [name, at] }")
    bad = [{"id": 1, "name": "a"}, {"id": 2, "score": "high"}, {"id": 3, "at": "2026-01-01T00:00:00Z", "up": 1.5}]
    result = made(shop, [*bad, {"id": 4}])
    assert {"type": "score is no float; up is no integer", "required": "name is missing; at is missing"} == {
        outcome.rule: outcome.says for outcome in result.tables[0].outcomes
    }


def test_a_rule_with_very_many_columns_tells_the_first(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ required: [name, score, tags, at, up, raw] }")
    [outcome] = made(shop, [{"id": 1}, {"id": 2}]).tables[0].outcomes
    assert outcome.says.endswith("at is missing; up is missing; and more")


def test_a_value_that_does_not_fit_is_quarantined_with_its_place(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    result = made(shop, [{"id": 1, "score": "high"}, {"id": 2, "score": 1}])
    [row] = shop.quarantine(result.run)
    shown = {name: row[name] for name in ("rule", "level", "column", "value", "says", "record", "page", "row")}
    assert {
        "rule": "type",
        "level": "error",
        "column": "score",
        "value": "high",
        "says": "score is no float",
        "record": '{"id": 1, "score": "high"}',
        "page": 0,
        "row": 0,
    } == shown
    assert (tmp_path / "shop.yaml").read_text().splitlines()[int(row["spec"].split(":")[1]) - 1].strip()[:6] == "score:"
    assert ([2], "rules_failed", 4) == (shop.column("id"), result.status, result.exit_code)


def test_every_silent_loss_becomes_a_quarantined_record_and_the_others_stay(tmp_path: Path) -> None:
    name = ("name", '{"first":"x"}')
    bad = [
        {"id": 1.5},
        {"id": 2**63},
        {"id": 3, "at": "2026-02-30T00:00:00Z"},
        {"id": 4, "tags": "one"},
        {"id": 5, "name": {"first": "x"}},
    ]
    good = [{"id": at, "name": "n", "tags": ["a"]} for at in range(10, 2_010)]
    shop = _shop(tmp_path)
    result = made(shop, [*good[:500], *bad[:2], *good[500:]], bad[2:])
    assert [row["id"] for row in good] == shop.column("id")
    assert [("id", "1.5"), ("id", "9223372036854775808"), ("at", "2026-02-30T00:00:00Z"), ("tags", '"one"'), name] == [
        (row["column"], row["value"]) for row in shop.quarantine(result.run)
    ]
    assert [("type", "error", 5, False)] == told(result)


def test_a_warning_stays_in_the_table_and_is_counted(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ required: { columns: [name], level: warning } }")
    result = made(shop, _things(3))
    assert ([("required", "warning", 3, False)], "succeeded", 3) == (told(result), result.status, shop.entry()["rows"])
    assert ["things required (warning): 3 of 3 rows: name is missing"] == result.warnings()


@pytest.mark.parametrize(
    ("bad", "count", "tolerance", "status"),
    [
        (1, 100, "1%", "succeeded"),
        (2, 100, "1%", "rules_failed"),
        (29, 100, "29%", "succeeded"),
        (30, 100, "29%", "rules_failed"),
        (7, 100, "7%", "succeeded"),
        (1, 99, "1%", "rules_failed"),
        (0, 100, "0%", "succeeded"),
        (100, 100, "100%", "succeeded"),
    ],
)
def test_a_rule_fails_beyond_its_tolerance(tmp_path: Path, bad: int, count: int, tolerance: str, status: str) -> None:
    shop = _shop(tmp_path, f"{{ range: {{ column: score, max: 10, tolerance: {tolerance} }} }}")
    result = made(shop, _things(count, bad))
    assert (status, bad, count - bad) == (result.status, result.quarantined, shop.entry()["rows"])


def test_a_forbidden_key_does_not_leak_with_the_row(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ forbid: [token] }", "{ required: [name] }", "{ range: { column: score, max: 1 } }")
    result = made(shop, [{"id": 1, "score": 5, "raw": {"a": [{"token": "hunter2"}]}}])
    assert {"forbid", "required", "range"} == {row["rule"] for row in shop.quarantine(result.run)}
    assert "hunter2" not in str(shop.quarantine(result.run))


def test_a_forbidden_key_does_not_leak_with_a_record_that_does_not_fit(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ forbid: [token] }")
    result = made(shop, [{"id": 1, "score": "x", "raw": {"token": "hunter2"}}, {"id": 2, "name": {"token": "hunter2"}}])
    assert [("score", "x"), ("name", None)] == [(row["column"], row["value"]) for row in shop.quarantine(result.run)]
    assert "hunter2" not in str(shop.quarantine(result.run))


def test_a_contract_is_held_against_each_record_as_it_was_sent(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"hidden": {"type": "integer"}}, "required": ["hidden"]}
    (tmp_path / "thing.schema.json").write_text(json.dumps(schema))
    shop = _shop(tmp_path, "{ json_schema: thing.schema.json }", "{ unique: id }")
    records: list[dict[str, Any]] = [{"id": at, "hidden": at} for at in range(1_500)]
    records[3]["hidden"], records[1_400] = "x", {"id": 1_400}
    result = made(shop, records)
    assert [3, 1_400] == [json.loads(row["record"])["id"] for row in shop.quarantine(result.run)]
    assert [("json_schema", "error", 2, False), ("unique", "error", 0, True)] == told(result)


def test_unique_counts_the_rows_behind_the_first(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ unique: id }")
    result = made(shop, [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}], [{"id": 1, "name": "c"}, {"id": 2}])
    assert ([(1, "a"), (2, None)], 2) == (shop.frame().select("id", "name").rows(), result.quarantined)


def test_unique_on_other_columns_keeps_the_row_that_came_first(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ unique: [name, score] }")
    rows = [(9, "a", 1), (1, "a", 1), (2, "a", 2), (3, None, 1), (4, None, 1), (5, "b", None), (6, "b", None)]
    result = made(shop, [dict(zip(("id", "name", "score"), row, strict=True)) for row in rows])
    assert [2, 3, 4, 5, 6, 9] == shop.column("id")
    assert [("unique", "error", 1, False)] == told(result)


def test_null_keys_are_no_duplicates(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ unique: id }")
    assert "succeeded" == made(shop, [{"name": "a"}, {"name": "b"}]).status


def test_rows_that_come_twice_are_dropped_and_counted(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ unique: id }")
    result = made(shop, [{"id": 1, "tags": ["a"]}, {"id": 2}], [{"id": 1, "tags": ["a"]}, {"id": 2, "name": "new"}])
    assert (1, 1, [1, 2]) == (result.tables[0].repeated, result.quarantined, shop.column("id"))


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("{ keep: last }", ["c", "z"]),
        ("{ keep: first }", ["a", "z"]),
        ("{ keep: last, order_by: score }", ["b", "z"]),
        ("{ keep: first, order_by: score }", ["c", "z"]),
    ],
)
def test_deduplicate_keeps_one_row_for_each_key_before_validation(tmp_path: Path, rule: str, names: list[str]) -> None:
    shop = _shop(tmp_path, "{ unique: id }", rest=f"deduplicate: {rule}")
    rows = [(1, "a", 2), (1, "b", 3), (2, "z", None), (1, "c", 1)]
    result = made(shop, [dict(zip(("id", "name", "score"), row, strict=True)) for row in rows])
    assert (names, 0, "succeeded") == (shop.column("name"), result.quarantined, result.status)


def test_deduplicate_without_a_key_is_a_mistake_of_the_page(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "tables: { things: { from: things, columns: { a: a }, deduplicate: { keep: last } } }")
    with pytest.raises(Exception, match="deduplicate needs a key"):
        shop.process()


TWO = """
tables:
  teams: {{ from: teams, key: id, columns: {{ id: {{ path: id, type: {kind} }} }} }}
  things:
    from: things
    key: id
    columns: {{ id: {{ path: id, type: integer }}, {column} }}
    validate: [{{ refers_to: {{ column: team, table: teams, to: id }} }}]
"""


def _two(folder: Path, column: str, kind: str = "string") -> Shop:
    return Shop(
        folder, TWO.format(column=column, kind=kind), endpoints="endpoints: { things: /things, teams: /teams }\n"
    )


def test_a_value_that_no_row_of_the_other_table_has_is_refused(tmp_path: Path) -> None:
    shop = _two(tmp_path, "team: { path: team, type: string }")
    things = [{"id": 1, "team": "a"}, {"id": 2, "team": "x"}, {"id": 3, "team": None}]
    shop.keep_all({"teams": [[{"id": "a"}, {"id": None}]], "things": [things]})
    assert ("team", "x") == tuple(shop.quarantine(shop.process().run)[0][name] for name in ("column", "value"))
    assert [1, 3] == shop.column("id")


def test_every_element_of_a_list_must_be_found(tmp_path: Path) -> None:
    shop = _two(tmp_path, "team: { path: team, type: list }")
    things = [{"id": 1, "team": ["a", "b"]}, {"id": 2, "team": ["a", "x"]}, {"id": 3, "team": []}, {"id": 4}]
    things += [{"id": 5, "team": [None, "b"]}]
    shop.keep_all({"teams": [[{"id": "a"}, {"id": "b"}]], "things": [things]})
    shop.process()
    assert [1, 3, 4, 5] == shop.column("id")


def test_types_that_can_never_be_equal_are_named(tmp_path: Path) -> None:
    shop = _two(tmp_path, "team: team", kind="integer")
    shop.keep_all({"teams": [[{"id": 1}]], "things": [[{"id": 1, "team": "1"}]]})
    with pytest.raises(SpecError, match=r"team is a string, teams\.id is an integer") as caught:
        shop.process()
    assert "give both the same type" in caught.value.fix
    place = caught.value.mark
    assert place
    assert "refers_to" in (shop.folder / "shop.yaml").read_text().splitlines()[place.line - 1]


def test_a_table_may_refer_to_itself(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ refers_to: { column: up, table: things, to: id } }", rest="mode: upsert")
    made(shop, [{"id": 2, "up": 1}, {"id": 1}, {"id": 3, "up": 9}])
    assert [1, 2] == shop.column("id")
    made(shop, [{"id": 4, "up": 2}])
    assert [1, 2, 4] == shop.column("id")


def test_verdicts_rest_on_all_batches(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ row_count: { max: 119999 } }", "{ freshness: { column: at, within: 2d } }")
    body = ",".join(f'{{"id":{at},"at":"2026-06-{14 if at == 70_000 else 10}T12:00:00Z"}}' for at in range(120_000))
    result = made(shop, f"[{body}]")
    assert [("row_count", "error", 0, False), ("freshness", "error", 0, True)] == told(result)
    assert ["things row_count (error): there are 120000 rows, more than 119999"] == result.warnings()


def test_verdicts_are_given_on_the_rows_that_stay(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ row_count: { min: 2 } }", "{ range: { column: score, max: 10 } }")
    assert [("row_count", "error", 0, False), ("range", "error", 1, False)] == told(made(shop, _things(2, bad=1)))


def test_a_failed_verdict_fails_the_run_and_still_publishes(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "{ row_count: { min: 5 } }")
    result = made(shop, _things(2))
    assert ("rules_failed", 4, [0, 1]) == (result.status, result.exit_code, shop.column("id"))


def test_a_forbidden_column_is_found_behind_the_steps(tmp_path: Path) -> None:
    steps = "other_columns: keep\n    enrich: [{ rename: { name: secret } }]"
    shop = _shop(tmp_path, "{ forbid: [secret] }", rest=steps)
    assert [("forbid", "error", 0, False)] == told(made(shop, [{"id": 1, "name": "x"}]))
