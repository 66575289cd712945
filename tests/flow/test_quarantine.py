"""The quarantine of a tool: what is set apart now, what may be shown of it, and how it comes back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import ConfigError, StorageError
from tests.flow.pages import Shop, made, told

TABLE = """
tables:
  things:
    from: things
    key: id
    mode: {mode}
    columns: {{ id: {{ path: id, type: integer }}, v: {{ path: v, type: {kind} }}, mail: {{ path: who.mail }} }}
    validate: [{{ range: {{ column: v, max: {most} }} }}]
    {more}
"""
MODES = pytest.mark.parametrize("mode", ["replace", "upsert", "append"])


def _page(mode: str = "upsert", kind: str = "integer", most: int = 9, more: str = "") -> str:
    return TABLE.format(mode=mode, kind=kind, most=most, more=more)


def _shop(folder: Path, mode: str = "upsert", **how: Any) -> Shop:
    return Shop(folder, _page(mode, **how), env={"USER": "ann"})


def _apart(shop: Shop) -> list[tuple[Any, ...]]:
    """Rule, key and value of what is set apart now."""
    return [(row["rule"], row["key"], row["value"]) for row in shop.engine.quarantine("shop").rows()]


def _values(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.frame().select("id", "v").rows()


# --- what is set apart now


def test_what_is_set_apart_is_grouped_by_table_and_rule(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 10}, {"id": 2, "v": 11}, {"id": 3, "v": "x"}, {"id": 4, "v": 4}])
    groups = shop.engine.quarantine("shop").groups()
    assert [("things", "range", "v", 2), ("things", "type", "v", 1)] == [
        (one["table"], one["rule"], one["column"], one["rows"]) for one in groups
    ]
    assert 3 == shop.engine.quarantine("shop").count()
    assert [("type", {"id": 3}, "x")] == [
        (row["rule"], row["key"], row["value"]) for row in shop.engine.quarantine("shop").rows(rule="type")
    ]


def test_nothing_is_set_apart_where_all_is_well(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 1}])
    assert ([], 0) == (shop.engine.quarantine("shop").groups(), shop.engine.quarantine("shop").count())


@MODES
def test_a_run_that_brings_nothing_bad_leaves_what_is_set_apart(tmp_path: Path, mode: str) -> None:
    shop = _shop(tmp_path, mode)
    made(shop, [{"id": 1, "v": 99}, {"id": 2, "v": "x"}])
    made(shop, [{"id": 3, "v": 3}])
    still = [("range", {"id": 1}, "99"), ("type", {"id": 2}, "x")]
    assert ([] if mode == "replace" else still) == _apart(shop)


@pytest.mark.parametrize("bad", [99, "x"])
@pytest.mark.parametrize("later", [5, 98, "y"])
def test_a_row_that_came_again_is_set_apart_once_or_not_at_all(tmp_path: Path, bad: Any, later: Any) -> None:
    one, both = _shop(tmp_path / "one"), _shop(tmp_path / "both")
    for value in (bad, later):
        made(one, [{"id": 1, "v": value}])
        both.keep([{"id": 1, "v": value}])
    both.process()
    rule = {98: "range", "y": "type"}.get(later)
    assert ([(rule, {"id": 1}, str(later))] if rule else []) == _apart(one) == _apart(both)


def test_a_row_that_was_deleted_since_is_no_longer_set_apart(tmp_path: Path) -> None:
    shop = _shop(tmp_path, more="delete_when: v = 0")
    made(shop, [{"id": 1, "v": 99}, {"id": 2, "v": 99}])
    made(shop, [{"id": 1, "v": 0}])
    assert [("range", {"id": 2}, "99")] == _apart(shop)


def test_rows_that_are_added_are_set_apart_each_time_they_come(tmp_path: Path) -> None:
    shop = _shop(tmp_path, "append")
    for _ in range(2):
        made(shop, [{"id": 1, "v": 99}])
    assert ([("range", {"id": 1}, "99")] * 2, 2) == (_apart(shop), shop.engine.quarantine("shop").count())


def test_checking_alone_sets_nothing_apart_for_good(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 1}])
    shop.keep([{"id": 2, "v": 99}])
    assert (1, []) == (shop.process("validation").quarantined, _apart(shop))


def test_showing_quarantine_agrees_with_what_is_set_apart(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}])
    made(shop, [{"id": 2, "v": 98}])
    shown = shop.engine.show("shop", "things", quarantine=True).records()
    assert [row["id"] for row in shop.engine.quarantine("shop").rows()] == [row["id"] for row in shown]
    assert {"99", "98"} == {row["value"] for row in shown}
    made(shop, [{"id": 1, "v": 1}, {"id": 2, "v": 2}])
    assert [] == shop.engine.show("shop", "things", quarantine=True).records()


def test_a_row_has_the_same_id_in_every_run_and_another_for_every_reason(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    found = []
    for run in range(2):
        made(shop, [{"id": 1, "v": 99, "run": run}, {"id": 2, "v": 99}, {"id": 3, "v": "x"}])
        found.append([row["id"] for row in shop.engine.quarantine("shop").rows()])
    assert sorted(found[0]) == sorted(found[1])
    assert 3 == len(set(found[0]))


def test_a_row_of_a_query_names_the_line_of_its_table(tmp_path: Path) -> None:
    query = '{ sql: "SELECT count(*) AS n FROM things", validate: [{ range: { column: n, max: 1 } }] }'
    shop = Shop(tmp_path, _page() + f"  sums: {query}\n")
    made(shop, [{"id": 1, "v": 1}, {"id": 2, "v": 2}])
    [row] = shop.engine.quarantine("shop").rows("sums")
    line = next(at for at, text in enumerate((tmp_path / "shop.yaml").read_text().splitlines(), 1) if "sums" in text)
    assert (f"{tmp_path}/shop.yaml:{line}:9", None, "2") == (row["table_spec"], row["endpoint"], row["value"])


@pytest.mark.parametrize(
    ("table", "rule", "says"),
    [("thing", "", 'no table "thing".*did you mean "things"'), ("", "rnge", 'no rule is called "rnge".*"range"')],
)
def test_a_table_or_a_rule_that_is_not_there_is_named(tmp_path: Path, table: str, rule: str, says: str) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}])
    with pytest.raises(ConfigError, match=says):
        shop.engine.quarantine("shop").groups(table, rule)


def test_quarantine_that_somebody_took_away_is_told_and_stops_nothing(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}])
    shutil.rmtree(shop.storage / "quarantine")
    result = made(shop, [{"id": 2, "v": 98}])
    assert [("range", {"id": 2}, "98")] == _apart(shop)
    assert "what was set apart before is gone or damaged" in result.tables[0].notes[0]


def test_a_row_says_when_its_page_came_as_long_as_that_is_kept(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}])
    assert ["1970-01-01T00:00:00Z"] == [row["collected_at"] for row in shop.engine.quarantine("shop").rows()]
    shutil.rmtree(shop.storage / "raw_data")
    assert [None] == [row["collected_at"] for row in shop.engine.quarantine("shop").rows()]


def test_quarantine_that_is_damaged_is_named(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}])
    [place] = (shop.storage / "quarantine").rglob("*.parquet")
    place.write_bytes(place.read_bytes()[:-9])
    with pytest.raises(StorageError, match=r"part-00000\.parquet is damaged"):
        shop.engine.quarantine("shop").groups()


# --- what may be shown


def test_nothing_that_a_mask_hides_is_shown(tmp_path: Path) -> None:
    steps = "enrich: [{ rename: { mail: owner } }, { mask: { column: owner, with: hash } }]"
    shop = _shop(tmp_path, more=steps)
    made(shop, [{"id": 1, "v": 99, "who": {"mail": "ann@x"}}, {"id": 2, "v": "x", "who": {"mail": "bob@x"}}])
    found = list(shop.engine.quarantine("shop").rows())
    assert {"id": 1, "v": 99, "mail": "***"} == found[0]["record"]
    assert {"id": 2, "v": "x"} == found[1]["record"]
    files = shop.files("quarantine")
    assert not [name for name, held in files.items() if b"ann@x" in held or b"bob@x" in held]


def test_a_masked_value_and_key_are_hidden_also_where_they_do_not_fit(tmp_path: Path) -> None:
    page = "tables: {{ things: {{ from: things, key: mail, columns: {{ mail: {{ path: mail, type: {} }} }}, {} }} }}"
    rules = "validate: [{ pattern: { column: mail, regex: '^z' } }], enrich: [{ mask: { column: mail, with: hash } }]"
    shop = Shop(tmp_path, page.format("string", rules))
    made(shop, [{"mail": "ann@x"}])
    [row] = shop.engine.quarantine("shop").rows()
    assert ("***", {"mail": "***"}) == (row["value"], row["key"])
    shop.write(page.format("integer", "enrich: [{ mask: { column: mail, with: hash } }]"))
    shop.process()
    [row] = shop.engine.quarantine("shop").rows()
    assert ("type", "***", {}) == (row["rule"], row["value"], row["record"])


def test_what_the_page_redacts_is_not_shown_though_it_was_kept_before(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": "x", "who": {"mail": "ann@x"}}, {"id": 2, "v": 2, "who": {"mail": "bob@x"}}])
    assert {"mail": "ann@x"} == next(shop.engine.quarantine("shop").rows())["record"]["who"]
    shop.write(_page(), endpoints="endpoints: { things: { get: /things, redact: [who.mail] } }\n")
    shop.process()
    assert {} == next(shop.engine.quarantine("shop").rows())["record"]["who"]
    assert [None] == shop.column("mail")


# --- how it comes back


@MODES
@pytest.mark.parametrize("fix", [{"most": 99}, {"kind": "string", "most": 99}], ids=["rule", "type"])
def test_rows_come_back_when_the_page_is_corrected(tmp_path: Path, mode: str, fix: dict[str, Any]) -> None:
    shop = _shop(tmp_path, mode)
    bad: list[Any] = [50] if "kind" not in fix else ["x"]
    if mode != "replace":
        made(shop, [{"id": 1, "v": bad[0]}, {"id": 2, "v": 2}])
    made(shop, [{"id": 3, "v": bad[0]}, {"id": 4, "v": 4}])
    before = _apart(shop)
    page = _page(mode, **fix).replace("validate: [{ range: { column: v, max: 99 } }]", "") if "kind" in fix else None
    shop.write(page or _page(mode, **fix))
    shop.process()
    assert ([3, 4] if mode == "replace" else [1, 2, 3, 4]) == shop.column("id")
    assert (1 if mode == "replace" else 2, []) == (len(before), _apart(shop))


TEAMS = """
tables:
  teams: {{ from: teams, mode: upsert, key: id, columns: {{ id: {{ path: id, type: string }} }} }}
  things:
    from: things
    key: id
    mode: {mode}
    columns: {{ id: {{ path: id, type: integer }}, team: {{ path: team, type: string }} }}
    validate: [{{ refers_to: {{ column: team, table: teams, to: id }} }}]
"""


@pytest.mark.parametrize("mode", ["upsert", "append"])
def test_a_release_brings_rows_back_when_another_table_has_what_they_need(tmp_path: Path, mode: str) -> None:
    two = "endpoints: { things: /things, teams: /teams }\n"
    shop = Shop(tmp_path, TEAMS.format(mode=mode), endpoints=two)
    for number in (1, 2):
        shop.keep_all({"teams": [[{"id": "a"}]], "things": [[{"id": number, "team": "b"}]]})
        shop.process()
    made(shop, [{"id": "b"}], endpoint="teams")
    assert ([], 2) == (shop.column("id"), shop.engine.quarantine("shop").count())
    released = shop.engine.quarantine("shop").release("things")
    assert [{"table": "things", "came_back": 2, "set_apart": 0}] == released["tables"]
    assert ([1, 2], 0) == (shop.column("id"), shop.engine.quarantine("shop").count())
    before = shop.entry()["definition"]
    made(shop, [{"id": 3, "team": "b"}])
    assert ([1, 2, 3], before) == (shop.column("id"), shop.entry()["definition"])


def test_a_release_of_kept_pages_that_are_gone_says_so_and_leaves_the_tables(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}, {"id": 2, "v": 2}])
    made(shop, [{"id": 3, "v": 3}])
    shutil.rmtree(next((shop.storage / "raw_data/shop/things").iterdir()))
    with pytest.raises(StorageError, match="kept pages of things are left"):
        shop.engine.quarantine("shop").release("things")
    assert [(2, 2), (3, 3)] == _values(shop)
    made(shop, [{"id": 4, "v": 4}])
    assert [(2, 2), (3, 3), (4, 4)] == _values(shop)


# --- what is let in until a day

WHY = "the vendor mends it"


def _names(shop: Shop) -> dict[Any, str]:
    """Value -> id of what is set apart."""
    return {row["value"]: row["id"] for row in shop.engine.quarantine("shop").rows()}


@MODES
def test_a_waived_row_is_in_the_table_and_counted_until_its_day(tmp_path: Path, mode: str) -> None:
    shop = _shop(tmp_path, mode)
    made(shop, [{"id": 1, "v": 99}, {"id": 2, "v": 98}, {"id": 3, "v": 3}])
    shop.engine.quarantine("shop").waive(_names(shop)["99"], until="2026-06-17", because=WHY)
    result = shop.process()
    assert ([(1, 99), (3, 3)], [("range", {"id": 2}, "98")]) == (_values(shop), _apart(shop))
    assert [("range", "error", 1, False)] == told(result)
    assert [1] == [one.waived for one in result.tables[0].outcomes]
    shop.later(days=1)
    shop.process()
    assert ([(1, 99), (3, 3)], 1) == (_values(shop), shop.engine.quarantine("shop").count())
    shop.later(days=1)
    shop.process()
    assert ([(3, 3)], 2) == (_values(shop), shop.engine.quarantine("shop").count())


def test_waived_rows_fail_no_run_and_are_told(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}])
    shop.engine.quarantine("shop").waive(table="things", rule="range", until="2026-07-01", because=WHY)
    result = made(shop, [{"id": 2, "v": 98}, {"id": 3, "v": 3}])
    assert (0, "succeeded", [1, 2, 3]) == (result.exit_code, result.status, shop.column("id"))
    assert ["things range (error): 2 rows are waived: v is above 9"] == result.warnings()
    assert [2] == [rule["waived"] for table in result.as_json()["tables"] for rule in table["rules"]]


def test_a_waiver_of_a_row_holds_when_it_comes_again(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}, {"id": 2, "v": 98}])
    shop.engine.quarantine("shop").waive(_names(shop)["99"], until="2026-07-01", because=WHY)
    made(shop, [{"id": 1, "v": 97}, {"id": 2, "v": 96}])
    assert ([(1, 97)], [("range", {"id": 2}, "96")]) == (_values(shop), _apart(shop))


@pytest.mark.parametrize(("rule", "left"), [("range:v", 1), ("range", 0)])
def test_a_rule_may_be_waived_for_one_column_alone(tmp_path: Path, rule: str, left: int) -> None:
    page = _page().replace("validate: [", "validate: [{ range: { column: id, max: 5 } }, ")
    shop = Shop(tmp_path, page)
    made(shop, [{"id": 1, "v": 99}, {"id": 6, "v": 1}])
    shop.engine.quarantine("shop").waive(table="things", rule=rule, until="2026-07-01", because=WHY)
    shop.process()
    assert left == shop.engine.quarantine("shop").count()


def test_a_row_that_breaks_another_rule_too_stays_apart(tmp_path: Path) -> None:
    page = _page().replace("validate: [", "validate: [{ required: mail }, ")
    shop = Shop(tmp_path, page)
    made(shop, [{"id": 1, "v": 99}])
    shop.engine.quarantine("shop").waive(table="things", rule="range", until="2026-07-01", because=WHY)
    shop.process()
    assert ([], [("required", {"id": 1}, None)]) == (_values(shop), _apart(shop))


def test_a_waiver_that_is_ended_sets_its_rows_apart_again(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}])
    one = shop.engine.quarantine("shop").waive(_names(shop)["99"], until="2026-07-01", because=WHY)
    shop.process()
    shop.engine.quarantine("shop").unwaive(one.id)
    shop.process()
    assert ([], [("range", {"id": 1}, "99")]) == (_values(shop), _apart(shop))
    [kept] = shop.engine.quarantine("shop").waivers()
    assert (WHY, "ann", "ann", "2026-06-15T12:00:00Z") == (kept.because, kept.by, kept.ended_by, kept.at)
    with pytest.raises(ConfigError, match="nothing of shop is waived as"):
        shop.engine.quarantine("shop").unwaive(one.id)


def test_rows_of_a_query_may_be_waived(tmp_path: Path) -> None:
    query = '{ sql: "SELECT count(*) AS n FROM things", validate: [{ range: { column: n, max: 1 } }] }'
    shop = Shop(tmp_path, _page() + f"  sums: {query}\n")
    made(shop, [{"id": 1, "v": 1}, {"id": 2, "v": 2}])
    shop.engine.quarantine("shop").waive(_names(shop)["2"], until="2026-07-01", because=WHY)
    shop.process()
    assert [2] == shop.column("n", "sums")


def test_a_row_that_must_not_be_shown_cannot_be_waived(tmp_path: Path) -> None:
    page = _page(more="other_columns: raw").replace("validate: [", "validate: [{ forbid: [token] }, ")
    shop = Shop(tmp_path, page)
    made(shop, [{"id": 1, "v": 1, "token": "hunter2"}])
    [row] = shop.engine.quarantine("shop").rows()
    for how in ({"id": row["id"]}, {"table": "things", "rule": "forbid"}):
        with pytest.raises(ConfigError, match="forbid cannot be waived: its rows hold what must not be shown"):
            shop.engine.quarantine("shop").waive(**how, until="2026-07-01", because=WHY)


def test_a_value_that_does_not_fit_its_type_cannot_be_waived(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": "x"}])
    with pytest.raises(ConfigError, match="type cannot be waived: there is no value that could stand in the table"):
        shop.engine.quarantine("shop").waive(_names(shop)["x"], until="2026-07-01", because=WHY)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"id": "0123456789ab"}, 'has the id "0123456789ab"'),
        ({"table": "things", "rule": "unique"}, 'no rule "unique" sets rows of things apart'),
        ({"table": "thing", "rule": "range"}, 'no table "thing".*did you mean "things"'),
        ({"table": "things", "rule": "range:w"}, 'no rule "range" of things is about "w"'),
        ({"table": "things", "rule": "row_count"}, 'no rule "row_count" sets rows of things apart'),
        ({"table": "things", "rule": "rnage"}, 'no rule is called "rnage".*"range"'),
        ({"rule": "range"}, "the rule of which table"),
        ({}, "a waiver is of one row or of one rule"),
        ({"table": "things", "rule": "range", "until": "2026-06-15"}, "has come already"),
        ({"table": "things", "rule": "range", "until": "2026-02-30"}, "is no day"),
        ({"table": "things", "rule": "range", "until": "tomorrow"}, "is no day"),
        ({"table": "things", "rule": "range", "because": " "}, "a waiver needs a reason"),
    ],
)
def test_a_waiver_that_cannot_be_is_refused(tmp_path: Path, how: dict[str, str], says: str) -> None:
    shop = _shop(tmp_path)
    made(shop, [{"id": 1, "v": 99}])
    with pytest.raises(ConfigError, match=says) as raised:
        shop.engine.quarantine("shop").waive(**{"until": "2026-07-01", "because": WHY, **how})
    assert raised.value.fix
    assert [] == shop.engine.quarantine("shop").waivers()
