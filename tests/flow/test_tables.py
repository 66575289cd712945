"""The tables of one run: stages, tables that read others, and sameness of what is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import ConfigError, DataError, SpecError, StorageError
from tests.flow.pages import Shop, made, told

TABLES = """
tables:
  things:
    from: things
    key: id
    columns: { id: { path: id, type: integer }, team: { path: team, type: string }, n: { path: n, type: float } }
    validate: [{ range: { column: n, max: 10 } }]
    enrich: [{ derive: { big: n > 5 } }]
  teams:
    sql: SELECT team, count(*) AS things, sum(n) AS total FROM things GROUP BY team
    key: team
    validate: [{ range: { column: total, max: 100 } }]
  report:
    sql: SELECT team FROM teams WHERE things > 1
"""
RECORDS: list[Any] = [
    {"id": 3, "team": "b", "n": 9},
    {"id": 1, "team": "a", "n": 1},
    {"id": 2, "team": "b", "n": 2},
    {"id": 4, "team": "b", "n": 99},
]


def test_queries_read_tables_and_other_queries(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLES)
    made(shop, RECORDS)
    assert [("a", 1, 1.0), ("b", 2, 11.0)] == shop.frame("teams").rows()
    assert ["b"] == shop.column("team", "report")


def test_a_query_is_checked_as_any_table(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLES)
    result = made(shop, [{"id": at, "team": "a" if at < 20 else "b", "n": 9} for at in range(22)])
    assert [("b", 2, 18.0)] == shop.frame("teams").rows()
    assert [("range", "error", 1, False)] == told(result, "teams")
    assert [("total", "180.0")] == [(row["column"], row["value"]) for row in shop.quarantine(result.run, "teams")]


def test_the_stage_validation_publishes_nothing_and_says_what_is_wrong(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLES)
    made(shop, RECORDS[:3])
    before = shop.files("processed_data")
    shop.keep(RECORDS)
    result = shop.process("validation")
    assert before == shop.files("processed_data")
    assert ([("range", "error", 1, False)], ["things"]) == (told(result), [one.name for one in result.tables])
    assert [4] == [row["row"] + 1 for row in shop.quarantine(result.run)]


def test_the_stage_enrichment_leaves_queries_as_they_were(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLES)
    made(shop, RECORDS[:2])
    shop.keep(RECORDS)
    shop.process("enrichment")
    assert [False, False, True] == shop.column("big")
    assert [("a", 1), ("b", 1)] == shop.frame("teams").select("team", "things").rows()


def test_an_unknown_stage_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='no stage is called "validate"; did you mean "validation"'):
        Shop(tmp_path, TABLES).process("validate")


def test_validation_reaches_tables_that_refer_to_others(tmp_path: Path) -> None:
    page = """
    tables:
      teams: { from: teams, key: id, columns: { id: { path: id, type: string } } }
      things:
        from: things
        key: id
        columns: { id: { path: id, type: integer }, team: { path: team, type: string } }
        validate: [{ refers_to: { column: team, table: teams, to: id } }]
    """
    shop = Shop(tmp_path, page, endpoints="endpoints: { things: /things, teams: /teams }\n")
    shop.keep_all({"teams": [[{"id": "a"}]], "things": [[{"id": 1, "team": "a"}, {"id": 2, "team": "x"}]]})
    assert [("refers_to", "error", 1, False)] == told(shop.process("validation"))


def test_a_join_reads_a_table_after_its_own_enrichment(tmp_path: Path) -> None:
    page = """
    tables:
      things:
        from: things
        key: id
        columns: { id: { path: id, type: integer }, team: { path: team, type: string } }
        enrich: [{ join: { table: teams, on: { team: id }, take: [label] } }]
      teams:
        from: teams
        key: id
        columns: { id: { path: id, type: string } }
        enrich: [{ derive: { label: "upper(id)" } }]
    """
    shop = Shop(tmp_path, page, endpoints="endpoints: { things: /things, teams: /teams }\n")
    shop.keep_all({"teams": [[{"id": "a"}]], "things": [[{"id": 1, "team": "a"}, {"id": 2, "team": "x"}]]})
    shop.process()
    assert [(1, "A"), (2, None)] == shop.frame().select("id", "label").rows()


def test_an_empty_table_can_be_queried_and_joined(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLES)
    made(shop, [])
    assert ([], ["team", "things", "total"], 0) == (
        shop.rows("teams"),
        shop.frame("teams").columns,
        shop.entry()["rows"],
    )


def test_a_mistake_that_the_data_brings_to_light_has_the_place_of_its_table(tmp_path: Path) -> None:
    shop = Shop(tmp_path, UNTYPED_JOIN, endpoints="endpoints: { things: /things, teams: /teams }\n")
    shop.keep_all({"teams": [[{"id": "a", "n": 1}, {"id": "a", "n": 2}]], "things": [[{"id": 1, "team": "a"}]]})
    with pytest.raises(DataError, match="several different rows") as raised:
        shop.process()
    assert ("things", 9) == (raised.value.message.split('"')[1], raised.value.mark and raised.value.mark.line)


UNTYPED_JOIN = """
tables:
  things:
    from: things
    key: id
    columns: { id: id, team: team }
    enrich: [{ join: { table: teams, on: { team: id }, take: [n] } }]
  teams: { from: teams, columns: { id: id, n: n } }
"""


def test_scratch_is_gone_after_success_and_after_an_error(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLES)
    made(shop, [{"id": at} for at in range(150_000)])
    assert [] == list((shop.storage / "processed_data" / "shop").glob(".*"))
    shop.write(TABLES.replace("{ path: n, type: float }", "n").replace("n > 5", "nn > 5"))
    with pytest.raises(SpecError):
        shop.process()
    assert [] == list((shop.storage / "processed_data" / "shop").glob(".*"))


def test_the_same_collections_make_the_same_bytes(tmp_path: Path) -> None:
    one, two = Shop(tmp_path / "1", TABLES), Shop(tmp_path / "2", TABLES)
    for shop in (one, two):
        shop.keep(RECORDS, [{"id": 9, "n": "x"}])
        shop.keep(RECORDS[:2])
        shop.process()
    same = ("processed_data", "raw_data")
    assert one.files(*same) == two.files(*same)
    assert [_spec(row) for row in one.quarantine(_run(one))] == [_spec(row) for row in two.quarantine(_run(two))]


def _run(shop: Shop) -> str:
    run: str = shop.engine.current("shop")["run"]
    return run


def _spec(row: dict[str, Any]) -> dict[str, Any]:
    """A quarantined row with the page's place below its folder."""
    return {**row, "spec": row["spec"].rpartition("/")[2]}


def test_what_is_published_says_how_it_was_made(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLES)
    run = shop.keep(RECORDS)
    result = shop.process()
    current = shop.engine.current("shop")
    assert (1, "shop", result.run, False, True, [run]) == tuple(
        current[name] for name in ("version", "tool", "run", "simulated", "complete", "collections")
    )
    assert (3, {"things": run}) == (current["tables"]["things"]["rows"], current["tables"]["things"]["taken"])


def test_a_table_that_left_the_page_is_no_longer_current(tmp_path: Path) -> None:
    shop = Shop(tmp_path, TABLES)
    made(shop, RECORDS)
    shop.write(TABLES[: TABLES.index("  report:")])
    shop.process()
    assert ["things", "teams"] == list(shop.engine.current("shop")["tables"])


def test_a_query_keeps_its_own_order_beside_a_key(tmp_path: Path) -> None:
    query = 'tops: { sql: "SELECT id, v FROM things ORDER BY v DESC", key: id }'
    shop = Shop(tmp_path, "tables: { things: { from: things, columns: { id: id, v: v } }, " + query + " }")
    made(shop, [{"id": 1, "v": 5}, {"id": 2, "v": 9}, {"id": 3, "v": 7}])
    assert [2, 3, 1] == shop.column("id", "tops")


def test_a_query_says_what_it_rests_on_is_incomplete(tmp_path: Path) -> None:
    tables = "tables: { things: { from: things, columns: { id: id } }, tops: { sql: SELECT id FROM things } }"
    shop = Shop(tmp_path, tables)
    shop.keep([{"id": 1}], missing=["page 2: status 500"])
    shop.process()
    entry = shop.entry("tops")
    assert (False, ["rests on things: incomplete"]) == (entry["complete"], entry["notes"])


@pytest.mark.parametrize("harm", ["unlink", "cut"])
def test_a_damaged_part_is_named_and_made_anew(tmp_path: Path, harm: str) -> None:
    shop = Shop(tmp_path, "tables: { things: { from: things, columns: { id: id } } }")
    made(shop, [{"id": 1}])
    [part] = (shop.storage / "processed_data/shop/things").rglob("*.parquet")
    part.unlink() if harm == "unlink" else part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(StorageError, match=r"part-00000\.parquet is (gone|damaged)"):
        shop.rows()
    assert ["things: its files were damaged, it is made anew"] == shop.process().notes
    assert [{"id": 1}] == shop.rows()


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"tables": {"things": {}}}', "{"])
def test_a_damaged_current_json_is_named_with_the_way_out(tmp_path: Path, text: str) -> None:
    shop = Shop(tmp_path, "tables: { things: { from: things, columns: { id: id } } }")
    made(shop, [{"id": 1}])
    place = shop.storage / "processed_data/shop/current.json"
    place.write_text(text)
    with pytest.raises(StorageError) as caught:
        shop.rows()
    assert "move it away and make the tables again: engine process shop" == caught.value.fix
    place.unlink()
    shop.process()
    assert [{"id": 1}] == shop.rows()


def test_rows_without_a_key_of_their_own_are_told(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "tables: { things: { from: things, key: id, columns: { id: id, v: v } } }")
    result = made(shop, [{"id": 1, "v": 1}, {"id": 1, "v": 2}, {"id": None, "v": 3}])
    assert [("key", "warning", 2, False)] == told(result)
