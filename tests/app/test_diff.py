"""What differs between the tables of two runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.app import compare
from engine.app.compare import Comparison, Rows
from engine.app.diff import Differences
from engine.core.errors import ConfigError, StorageError
from engine.flow.publish import Shelf
from tests.flow.pages import Shop, made

THINGS = """
tables:
  things:
    from: things
    {key}
    columns: {{ id: {{ path: id, type: integer }}, v: {{ path: v, type: string }}, tags: {{ path: tags, type: list }},
      more: {{ path: more, type: json }} }}
    {more}
"""
BEFORE = [{"id": 1, "v": "a"}, {"id": 2, "v": "b", "tags": ["x"], "more": {"n": 1}}, {"id": 3, "v": "c"}]
AFTER = [{"id": 2, "v": "B", "tags": ["x", "y"], "more": {"n": 2}}, {"id": 3, "v": "c"}, {"id": 4, "v": None}]


def _shop(folder: Path, *, key: str = "key: id", more: str = "") -> Shop:
    return Shop(folder, THINGS.format(key=key, more=more))


def _both(folder: Path, **how: str) -> Shop:
    """A shop with two versions."""
    shop = _shop(folder, **how)
    made(shop, BEFORE)
    made(shop, AFTER)
    return shop


def _diff(shop: Shop, old: str = "previous", new: str = "latest", table: str | None = None) -> Differences:
    return shop.engine.diff("shop", old, new, table=table)


def _changes(found: Differences, limit: int | None = None) -> list[dict[str, Any]]:
    return list(found.tables[0].changes(limit))


# --- rows


def test_rows_are_known_again_by_their_key(tmp_path: Path) -> None:
    found = _changes(_diff(_both(tmp_path)))
    assert [("removed", {"id": 1}), ("changed", {"id": 2}), ("added", {"id": 4})] == [
        (one["change"], one["key"]) for one in found
    ]
    columns = {
        "v": {"from": "b", "to": "B"},
        "tags": {"from": ["x"], "to": ["x", "y"]},
        "more": {"from": {"n": 1}, "to": {"n": 2}},
    }
    assert columns == found[1]["columns"]
    assert {"id": 4, "v": None, "tags": None, "more": None} == found[2]["row"]


def test_without_a_key_rows_are_counted(tmp_path: Path) -> None:
    shop = _shop(tmp_path, key="")
    made(shop, [{"id": 1}, {"id": 1}, {"id": 2}])
    made(shop, [{"id": 1}, {"id": 3}, {"id": 3}])
    found = _diff(shop)
    assert {"added": 2, "removed": 2, "changed": 0, "same": 1} == found.tables[0].counts
    assert [("removed", 1), ("removed", 2), ("added", 3), ("added", 3)] == [
        (one["change"], one["row"]["id"]) for one in _changes(found)
    ]


def test_the_other_way_round_is_the_mirror(tmp_path: Path) -> None:
    found = _diff(_both(tmp_path), "latest", "previous").tables[0].counts
    assert {"added": 1, "removed": 1, "changed": 1, "same": 1} == found


def test_a_limit_cuts_the_list_and_not_the_counts(tmp_path: Path) -> None:
    found = _diff(_both(tmp_path))
    assert (1, 3) == (len(_changes(found, 1)), sum(found.tables[0].counts.values()) - 1)
    assert [] == _changes(found, 0)


def test_the_same_version_twice_differs_in_nothing(tmp_path: Path) -> None:
    assert _diff(_both(tmp_path), "latest", "latest").is_empty


KEYS = st.one_of(st.none(), st.integers(0, 6))
ROWS = st.lists(st.tuples(KEYS, st.sampled_from(["", "a", "b"]), st.sampled_from([None, 0.0, 1.5])), max_size=12)
Row = tuple[Any, ...]


def _naive(old: Sequence[Row], new: Sequence[Row], keyed: bool) -> Counter[Any]:
    """Each change, found one by one: equal rows cancel out, then one row left on either side of a key was changed."""
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    found: Counter[Any] = Counter()
    for key in {row[:1] if keyed else row for row in (*gone, *come)}:
        one = [row for row in gone.elements() if (row[:1] if keyed else row) == key]
        other = [row for row in come.elements() if (row[:1] if keyed else row) == key]
        if keyed and len(one) == len(other) == 1:
            found["changed", one[0], other[0]] += 1
        else:
            found.update(("removed", row) for row in one)
            found.update(("added", row) for row in other)
    return found


def _rows(folder: Path, run: str, rows: Sequence[Row], part_rows: int) -> Rows:
    """A version of a table, in files of so many rows."""
    shelf = Shelf(folder, "acme")
    writer = shelf.parts(f"things/{run}", "part", {})
    frame = pl.DataFrame(rows, schema={"id": pl.Int64, "v": pl.String, "w": pl.Float64}, orient="row")
    files = []
    for number, start in enumerate(range(0, max(frame.height, 1), part_rows)):
        writer = shelf.parts(f"things/{run}", f"part{number}", {})
        writer.add(frame[start : start + part_rows])
        files += [file.as_json() for file in writer.finish()]
    schema = {name: {"type": "string"} for name in frame.columns}
    return Rows(shelf, {"files": files, "rows": frame.height, "schema": schema})


@given(old=ROWS, new=ROWS, keyed=st.booleans(), part_rows=st.integers(1, 5), limits=st.sampled_from([1, 3, 9999]))
def test_what_is_found_is_what_comparing_one_by_one_finds(
    tmp_path_factory: pytest.TempPathFactory,
    old: list[Row],
    new: list[Row],
    keyed: bool,
    part_rows: int,
    limits: int,
) -> None:
    folder = tmp_path_factory.mktemp("diff")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "PASS_ROWS", limits)
        patch.setattr(compare, "SLICE_ROWS", limits)
        both = Comparison(
            _rows(folder, "1", old, part_rows), _rows(folder, "2", new, part_rows), ["id"] if keyed else []
        )
        found = list(both.changes())
    told: Counter[Any] = Counter()
    changed = {name: position for position, name in enumerate(("id", "v", "w"))}
    expected = _naive(old, new, keyed)
    for one in found:
        if one["change"] != "changed":
            told[one["change"], tuple(one["row"].values())] += 1
            continue
        [before] = [row for kind, row, *_ in expected if kind == "changed" and row[0] == one["key"]["id"]]
        after = list(before)
        for name, values in one["columns"].items():
            assert values["from"] == before[changed[name]] != values["to"]
            after[changed[name]] = values["to"]
        told["changed", before, tuple(after)] += 1
    assert expected == told
    counts = Counter(one["change"] for one in found)
    same = len(new) - counts["added"] - counts["changed"]
    assert {**dict.fromkeys(("added", "removed", "changed"), 0), **counts, "same": same} == both.counts


# --- columns and rules


def test_columns_that_came_went_and_changed_their_type_are_named(tmp_path: Path) -> None:
    shop = _both(tmp_path)
    shop.write("""
tables:
  things: { from: things, key: id, columns: { id: { path: id, type: string }, v: { path: v, type: string },
    new: { path: v, type: string } } }
""")
    shop.process()
    [table] = _diff(shop).tables
    assert {
        "added": {"new": "string"},
        "removed": {"tags": "list", "more": "json"},
        "retyped": {"id": {"from": "integer", "to": "string"}},
    } == table.schema
    assert {"added": 0, "removed": 0, "changed": 0, "same": 3} == table.counts
    assert "changed" == table.state


def test_numbers_of_another_type_are_compared_as_numbers(tmp_path: Path) -> None:
    shop = Shop(
        tmp_path, "tables: { things: { from: things, key: id, columns: { id: id, v: { path: v, type: integer } } } }"
    )
    made(shop, [{"id": 1, "v": 1}, {"id": 2, "v": 2}])
    shop.write("tables: { things: { from: things, key: id, columns: { id: id, v: { path: v, type: float } } } }")
    made(shop, [{"id": 1, "v": 1.0}, {"id": 2, "v": 2.5}])
    assert [{"v": {"from": 2, "to": 2.5}}] == [one["columns"] for one in _changes(_diff(shop))]


def test_rules_whose_verdict_changed_are_told_with_their_counts(tmp_path: Path) -> None:
    shop = _both(tmp_path, more="validate: [{ required: [v] }, { one_of: { column: v, values: [a, b, c, B] } }]")
    [rule] = _diff(shop).tables[0].rules
    assert ("required", True, False) == (rule["rule"], rule["from"]["passed"], rule["to"]["passed"])
    assert (0, 1) == (rule["from"]["failed"], rule["to"]["failed"])


def test_a_rule_that_is_new_has_no_outcome_before(tmp_path: Path) -> None:
    shop = _both(tmp_path)
    shop.write(THINGS.format(key="key: id", more="validate: [{ required: [id] }]"))
    shop.process()
    [rule] = _diff(shop).tables[0].rules
    assert (None, True) == (rule["from"], rule["to"]["passed"])


def test_a_table_that_was_kept_is_said_to_be_so_with_the_rules_of_its_own_run(tmp_path: Path) -> None:
    shop = _shop(tmp_path, more="validate: [{ required: [v] }]")
    first = made(shop, BEFORE).run
    made(shop, AFTER, missing=["page 2 did not come"])
    found = _diff(shop)
    told = found.tables[0].about()
    assert (first, [], "same") == (told["kept_from"], told["rules"], told["state"])
    assert (True, False) == (found.about()["from"]["complete"], found.about()["to"]["complete"])


def test_tables_that_came_and_went_are_named_without_their_rows(tmp_path: Path) -> None:
    shop = _both(tmp_path)
    shop.write("tables: { others: { from: things, key: id, columns: { id: id } } }")
    shop.process()
    lines = [(one["change"], one.get("table"), one.get("rows")) for one in _diff(shop).lines()]
    assert [("versions", None, None), ("table_added", "others", 3), ("table_removed", "things", 3)] == lines


def test_tables_without_a_common_column_share_no_rows(tmp_path: Path) -> None:
    shop = _both(tmp_path)
    shop.write("tables: { things: { from: things, columns: { w: v } } }")
    shop.process()
    [table] = _diff(shop).tables
    assert ({"added": 3, "removed": 3, "changed": 0, "same": 0}, []) == (table.counts, list(table.changes()))


# --- forms


def test_lines_hold_one_change_each_and_end_with_counts(tmp_path: Path) -> None:
    lines = list(_diff(_both(tmp_path)).lines())
    assert ["versions", "removed", "changed", "added", "counts"] == [one["change"] for one in lines]
    assert {"change": "counts", "table": "things", "added": 1, "removed": 1, "changed": 1, "same": 1} == lines[-1]


def test_a_document_holds_everything(tmp_path: Path) -> None:
    told = _diff(_both(tmp_path)).document(2)
    assert ("shop", False, 2) == (told["tool"], told["same"], len(told["tables"][0]["changes"]))
    assert {"from": 3, "to": 3} == told["tables"][0]["rows"]


# --- which runs


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("previous", "2019", 'no run of shop is called "2019"'),
        ("", "latest", 'no run of shop is called ""'),
        ("2026", "latest", '2 runs have "2026" in their names'),
        ("20260101T000000000Z-0001", "latest", "run 20260101T000000000Z-0001 made no tables: it was to collect"),
    ],
)
def test_a_run_without_a_version_is_told_with_those_there_are(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _diff(_both(tmp_path), old, new)
    assert says in caught.value.message
    assert (
        "versions are there of: 20260615T120000000Z-0002" in caught.value.fix or "write more of one" in caught.value.fix
    )


def test_there_is_nothing_before_the_only_version(tmp_path: Path) -> None:
    shop = _shop(tmp_path)
    made(shop, BEFORE)
    with pytest.raises(ConfigError, match="only one version"):
        _diff(shop)


def test_a_run_is_known_by_a_part_of_its_name(tmp_path: Path) -> None:
    shop = _both(tmp_path)
    run = shop.engine.current("shop")["run"]
    assert (run, run) == tuple(_diff(shop, "previous", part).new.run for part in (run[-4:], run))


def test_a_tool_without_tables_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no tables of shop"):
        _diff(_shop(tmp_path))


def test_a_table_of_neither_version_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'neither.*table "thing".*did you mean "things"'):
        _diff(_both(tmp_path), table="thing")


def test_files_that_are_gone_are_an_error_with_a_mend(tmp_path: Path) -> None:
    shop = _both(tmp_path)
    for file in (shop.storage / "processed_data" / "shop" / "things").rglob("*.parquet"):
        file.unlink()
    with pytest.raises(StorageError, match="is gone"):
        _diff(shop).document()
