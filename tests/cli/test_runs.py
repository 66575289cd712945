"""`run`, `collect`, `process` and `report`: screens, JSON and exit codes."""

import json
import os
import sys
from pathlib import Path

import click
import pytest
from click.testing import Result

from engine.app import Engine, errors
from engine.cli.result import show
from tests.cli.shop import Desk


def test_run_shows_endpoints_tables_reports_and_what_to_do_next(desk: Desk) -> None:
    screen = " ".join(desk.engine("run", "shop").stdout.split())
    for said in (
        "things 2 3 complete",
        "parts 3 3 complete",
        "cheap 1 0",
        "list storage/reports/shop/",
        "succeeded (exit 0): 6 records collected",
        "look at the data: engine show shop cheap",
    ):
        assert said in screen


def test_rows_that_came_again_are_told_beside_their_table(desk: Desk) -> None:
    desk.shop.things.insert(1, desk.shop.things[0])
    assert "things 2 1 1 came again" in " ".join(desk.engine("run", "shop").stdout.split())


def test_run_says_each_endpoint_and_table_once_on_standard_error(desk: Desk) -> None:
    lines = desk.engine("run", "shop").stderr.splitlines()
    assert ["things: 2 pages, 3 records"] == [line for line in lines if line.startswith("things:")]
    assert ["table things: 2 rows, 1 quarantined"] == [line for line in lines if line.startswith("table things:")]


def test_json_is_all_that_goes_to_standard_output(desk: Desk) -> None:
    answer = desk.engine("run", "shop", "--json")
    result = json.loads(answer.stdout)
    assert (0, "succeeded", 6, 1) == (
        answer.return_value,
        result["status"],
        result["records_collected"],
        result["quarantined"],
    )


def test_a_rule_that_failed_is_shown_with_its_place_on_the_page(desk: Desk) -> None:
    page = desk.page("tolerance: 50%%", "tolerance: 1%%")
    answer = desk.engine("run", "shop")
    line = next(n for n, text in enumerate(page.read_text().splitlines(), 1) if "- range" in text)
    screen = " ".join(answer.stdout.split())
    assert 4 == answer.return_value
    assert f"error things range 1 of 3 pipelines/shop.yaml:{line}:" in screen
    assert "rows that broke a rule lie in storage/quarantine/shop" in screen
    assert "look at them: engine quarantine shop" in screen


def test_a_skipped_unit_is_said_in_the_words_of_the_page(desk: Desk) -> None:
    desk.shop.fault("/things/2/parts", status=403)
    answer = desk.engine("run", "shop")
    assert 0 == answer.return_value
    assert 'parts: 2 pages, 2 records; skipped: thing {"id":2}: needs the Parts add-on' in answer.stderr
    assert "needs the Parts add-on" in answer.stdout


def test_of_many_gaps_three_are_named_and_the_others_counted(desk: Desk) -> None:
    desk.shop.things = [{"id": n, "name": "x", "price": 1.0} for n in range(1, 6)]
    desk.shop.fault("/parts", status=403, times=5)
    answer = desk.engine("collect", "shop")
    assert ["and 2 more", "and 2 more"] == [said.split("; ")[-1].strip() for said in _of_parts(answer)]


def test_long_reasons_of_many_children_keep_the_screen_narrow(desk: Desk) -> None:
    page = desk.page("", "")
    text = page.read_text().replace("say: needs the Parts add-on", 'say: "${answer.why}"')
    page.write_text(text.replace("skip: { scope: unit, say", "fail: { say"))
    desk.shop.things = [{"id": n, "name": "x", "price": 1.0} for n in range(1, 9)]
    for number in range(1, 9):
        desk.shop.fault(f"/things/{number}/parts", status=403, body=json.dumps({"why": f"{number} " * 500}).encode())
    answer = desk.engine("run", "shop")
    rows = [line.rstrip() for line in answer.stdout.splitlines() if line.startswith("parts  ")]
    assert [True, True] == [len(row) < 700 for row in rows]


def _of_parts(answer: Result) -> list[str]:
    """What standard error and the screen say of the parts."""
    return [line for line in f"{answer.stderr}{answer.stdout}".splitlines() if line.startswith("parts")]


def test_an_incomplete_run_ends_with_3_and_says_how_to_go_on(desk: Desk) -> None:
    desk.shop.fault("/things/2/parts", status=404)
    answer = desk.engine("run", "shop")
    assert 3 == answer.return_value
    run = json.loads(desk.engine("runs", "--json").stdout)[0]["run"]
    assert f"to fetch what is missing: engine resume {run}" in answer.stdout
    assert "to collect all of it anew: engine run shop" in answer.stdout


def test_a_refusal_is_told_with_its_mend_and_twice_at_most(desk: Desk) -> None:
    desk.shop.fault("/things", status=401)
    answer = desk.engine("run", "shop")
    refusal = f"things: GET {desk.shop.url}/things?count=2&from=0: status 401"
    assert f"{refusal}\n  mend: check the credentials\n" in answer.stdout
    assert "records of these errors are in storage/logs/errors.jsonl" in answer.stdout
    assert (1, 1) == (answer.stdout.count("status 401"), answer.stderr.count("status 401"))


def test_an_endpoint_that_never_answered_has_a_table_without_rows(desk: Desk) -> None:
    columns = "columns: { thing_id: thing_id, no: { path: no, type: integer } }"
    desk.page(f"  parts: {{ from: parts, key: [thing_id, no], {columns} }}\n", "")
    desk.shop.fault("/things", status=404)
    assert 3 == desk.engine("run", "shop").return_value


def test_the_parts_of_a_walk_can_be_taken_one_by_one(desk: Desk) -> None:
    works = (("collect", "shop"), ("process", "shop"), ("report", "shop"))
    assert [0, 0, 0] == [desk.engine(*words).return_value for words in works]
    [report] = Path("storage/reports/shop").glob("*/list.csv")
    assert "id,name,price\n1,ball,3.5\n3,top,\n" == report.read_text()


def test_process_through_validation_publishes_nothing(desk: Desk) -> None:
    desk.engine("collect", "shop")
    assert 0 == desk.engine("process", "shop", "--stage", "validation").return_value
    assert 2 == desk.engine("show", "shop").return_value


def test_only_collects_what_is_named_and_what_stands_above_it(desk: Desk) -> None:
    desk.engine("collect", "shop", "--only", "things")
    assert ["/things"] == sorted({asked.path for asked, _ in desk.shop.log})


def test_a_param_from_the_command_line_is_sent(desk: Desk) -> None:
    desk.engine("collect", "shop", "-p", "color=light=blue", "--only", "things")
    assert ("color", "light=blue") in desk.shop.log[0][0].query


def test_a_page_can_be_named_by_its_path(desk: Desk) -> None:
    assert 0 == desk.engine("collect", "pipelines/shop.yaml", "--storage", "elsewhere").return_value
    assert Path("elsewhere/raw_data/shop").is_dir()


def test_simulate_asks_nobody_and_says_so(desk: Desk) -> None:
    answer = desk.engine("run", "shop", "--simulate", "--seed", "2")
    assert ([], True) == (desk.shop.log, Path("storage-simulated/processed_data/shop").is_dir())
    assert "SIMULATED" in answer.stdout
    assert "(SIMULATED)" in answer.stderr
    assert "--storage storage-simulated" in answer.stdout.splitlines()[-1]


def test_simulated_and_real_data_do_not_mix(desk: Desk) -> None:
    desk.engine("run", "shop", "--simulate")
    answer = desk.engine("run", "shop", "--storage", "storage-simulated")
    assert 2 == answer.return_value
    assert "storage-simulated holds simulated data" in answer.stderr


def test_a_seed_needs_a_simulation(desk: Desk) -> None:
    with pytest.raises(click.UsageError, match="--seed needs --simulate"):
        desk.engine("run", "shop", "--seed", "2")


def test_the_report_folder_says_how_long_the_run_took(desk: Desk) -> None:
    desk.engine("run", "shop")
    [place] = Path("storage/reports/shop").glob("*/run.json")
    assert json.loads(place.read_text())["duration_seconds"] > 0


def test_a_hint_names_the_command_as_it_was_called(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/engine", "run"])
    assert "look at the data: .venv/bin/engine show shop cheap" in desk.engine("run", "shop").stdout


@pytest.mark.slow
def test_a_run_that_was_killed_is_no_longer_running(desk: Desk) -> None:
    desk.shop.hold = True
    with desk.start("run", "shop") as started:
        assert desk.shop.held.wait(10)
        during = desk.engine("tools", "--json").stdout
        started.kill()
    after = desk.engine("tools", "--json").stdout
    assert ["running", "interrupted"] == [json.loads(one)[0]["last_run"]["status"] for one in (during, after)]


def test_nobody_listening_ends_no_run_and_changes_no_exit_code(desk: Desk) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with desk.start("run", "shop", stdout=writes, stderr=writes) as started:
        os.close(writes)
    [run] = json.loads(desk.engine("runs", "--json").stdout)
    assert (0, "succeeded") == (started.returncode, run["status"])


def test_a_page_is_found_by_the_name_of_its_tool_once_it_has_run(desk: Desk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "mine.yaml"
    elsewhere.parent.mkdir()
    (tmp_path / "pipelines" / "shop.yaml").rename(elsewhere)
    with pytest.raises(errors.ConfigError, match='no tool is called "shop"'):
        Engine.from_config(env={}).find("shop")
    assert 0 == desk.engine("run", str(elsewhere)).return_value
    assert elsewhere.samefile(Engine.from_config(env={}).find("shop"))


def test_a_run_says_what_jmespath_py_had_to_read_unless_it_is_little(desk: Desk) -> None:
    desk.page("{ path: name, type: string,", "{ path: name || nick, type: string,")
    desk.shop.things[0]["name"] = 5
    assert "jmespath.py" not in desk.engine("run", "shop").stdout
    made = json.loads(desk.engine("process", "shop", "--json").stdout)["tables"][0]
    assert ("name", 3) == (made["by_jmespath"][0]["column"], made["by_jmespath"][0]["records"])
    desk.shop.things += [{"id": at, "name": at if at % 2 else "x"} for at in range(4, 101)]
    told = " ".join(desk.engine("run", "shop").stdout.split())
    assert "table things: jmespath.py read name of 100 records, one by one: it is of various kinds" in told


def test_one_reason_more_is_told_as_one(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    result = json.loads(desk.engine("run", "shop", "--json").stdout)
    result["tables"][0]["by_jmespath"] = [{"column": "c", "records": 100 + at, "why": "so"} for at in range(4)]
    show(result, "shop", "")
    assert "table things: and for 1 more reason, which --json names" in capsys.readouterr().out
