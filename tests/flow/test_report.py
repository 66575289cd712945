"""What a run did, as JSON, and the reports it writes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.core.errors import Mark, StorageError
from engine.flow.ledger import Collection
from engine.flow.made import Made
from engine.flow.report import Result
from engine.flow.validate import Outcome
from tests.flow.pages import Shop, made

PAGE = """
tables:
  things: {{ from: things, key: id, columns: {{ id: {{ path: id, type: integer }}, v: {{ path: v, type: string }} }} }}
reports:
  list: {{ csv: things }}
  all: {{ jsonl: things }}
{more}
"""
MARK = Mark("shop.yaml", 3, 5)


def _result(*outcomes: Outcome, missing: tuple[str, ...] = (), kept: bool = False) -> Result:
    collections = [Collection("r", "things", not missing, 7, 2, missing)]
    tables = [Made("things", rows=5, quarantined=2, kept=kept, outcomes=list(outcomes))]
    result = Result("shop", "r", datetime(2026, 1, 1, tzinfo=UTC), collections=collections, tables=tables)
    result.settle()
    return result


FAILED = Outcome("range", "error", MARK, 0.1, failed=2, checked=10, says="score is above 10")
WARNED = Outcome("range", "warning", MARK, 0.0, failed=2, checked=10, says="score is above 10")
WITHIN = Outcome("range", "error", MARK, 0.2, failed=2, checked=10, says="score is above 10")
JUDGED = Outcome("row_count", "error", MARK, 0.0, verdict="there are 0 rows")


@pytest.mark.parametrize(
    ("result", "status", "code"),
    [
        (_result(), "succeeded", 0),
        (_result(WITHIN, WARNED), "succeeded", 0),
        (_result(FAILED), "rules_failed", 4),
        (_result(JUDGED), "rules_failed", 4),
        (_result(missing=("gone",)), "incomplete", 3),
        (_result(FAILED, missing=("gone",)), "incomplete", 3),
    ],
    ids=["nothing", "within tolerance", "a rule", "a verdict", "incomplete", "both"],
)
def test_status_and_exit_code_say_what_happened(result: Result, status: str, code: int) -> None:
    assert (status, code) == (result.status, result.exit_code)


def test_counts_are_those_of_endpoints_and_tables() -> None:
    assert (7, 5, 2) == (_result().records_collected, _result().records_processed, _result().quarantined)


def test_a_table_that_stayed_was_not_processed() -> None:
    assert 0 == _result(kept=True).records_processed


def test_warnings_name_what_a_reader_must_know_once() -> None:
    assert ["things incomplete: gone", "things range (error): 2 of 10 rows: score is above 10"] == _result(
        FAILED, missing=("gone", "gone")
    ).warnings()


def test_a_warning_says_that_failing_rows_are_tolerated() -> None:
    assert ["things range (error, tolerated): 2 of 10 rows: score is above 10"] == _result(WITHIN).warnings()


def test_a_report_names_what_the_last_collection_lacks(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PAGE.format(more=""))
    made(shop, [{"id": 1, "v": "x"}], missing=["page 2 did not come"])
    assert ["things incomplete: page 2 did not come"] == shop.engine.report("shop").warnings()


def test_a_report_that_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PAGE.format(more="").replace("jsonl: things", "json: things"))
    made(shop, [{"id": 1, "v": "x"}])
    [part] = (shop.storage / "processed_data").rglob("*.parquet")
    content = part.read_bytes()
    part.write_bytes(content[:4] + bytes(40) + content[44:])  # its columns can be read, its values cannot
    with pytest.raises(StorageError, match=r"part-00000\.parquet is damaged"):
        shop.engine.report("shop")
    assert [] == [path.name for path in (shop.storage / "reports").rglob("*.*")]


def test_a_result_is_json(tmp_path: Path) -> None:
    result = _result(FAILED)
    found = json.loads(json.dumps(result.as_json()))
    assert ("rules_failed", 4, "2026-01-01T00:00:00Z") == (found["status"], found["exit_code"], found["started_at"])
    assert {
        "rule": "range",
        "level": "error",
        "spec": "shop.yaml:3:5",
        "failed": 2,
        "waived": 0,
        "checked": 10,
        "passed": False,
        "says": "score is above 10",
    } == found["tables"][0]["rules"][0]


def test_reports_are_written_beside_what_the_run_did(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PAGE.format(more=""))
    made(shop, [{"id": 2, "v": "b"}, {"id": 1, "v": "a"}])
    result = shop.engine.report("shop")
    home = shop.storage / "reports" / "shop" / result.run
    assert ["all.jsonl", "list.csv", "run.json"] == sorted(path.name for path in home.iterdir())
    assert ["id,v", "1,a", "2,b"] == (home / "list.csv").read_text(encoding="utf-8-sig").split()
    assert {"list": str(home / "list.csv"), "all": str(home / "all.jsonl")} == result.reports


def test_latest_json_points_at_the_newest_reports(tmp_path: Path) -> None:
    shop = Shop(tmp_path, PAGE.format(more=""))
    made(shop, [{"id": 1}])
    shop.engine.report("shop")
    result = shop.engine.report("shop")
    home = shop.storage / "reports" / "shop"
    latest = json.loads((home / "latest.json").read_text())
    assert result.run == latest["run"]
    places = {name: str(home / path) for name, path in latest["reports"].items()}
    assert result.reports == places


def test_the_same_tables_give_reports_of_the_same_bytes(tmp_path: Path) -> None:
    page = PAGE.format(more="  web: { html: { title: Things, tables: [things] } }\n  flat: { parquet: things }")
    one, two = Shop(tmp_path / "1", page), Shop(tmp_path / "2", page)
    for shop in (one, two):
        made(shop, [{"id": at, "v": f"v{at}"} for at in range(50)])
        shop.engine.report("shop")
    found = [
        {name: text for name, text in shop.files("reports").items() if ".json" not in name[-5:]} for shop in (one, two)
    ]
    assert 4 == len(found[0])
    assert found[0] == found[1]


def test_a_report_of_a_table_that_was_never_made_says_so(tmp_path: Path) -> None:
    says = 'report ".*": the table "things" was not made yet\n  mend: make it: engine run shop'
    with pytest.raises(Exception, match=says):
        Shop(tmp_path, PAGE.format(more="")).engine.report("shop")
