"""How commands end when something is wrong: words for a person, a record for machines, an exit code."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.flow.ledger import Ledger
from tests.cli.shop import Desk


def test_a_misspelt_command_gets_the_nearest(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["rum", "shop"])
    assert "'run'?" in capsys.readouterr().err


def test_a_param_without_equals_is_explained(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main(["run", "shop", "-p", "color"])
    assert "write color=value" in capsys.readouterr().err


def test_a_mistake_on_the_page_is_one_block_with_place_caret_and_mend(desk: Desk) -> None:
    page = desk.page("  color: { doc: Only things of this color., optional: true }", "  color: {}")
    line = next(n for n, text in enumerate(page.read_text().splitlines(), 1) if "color: {}" in text)
    answer = desk.engine("run", "shop")
    place, source, caret, mend = answer.stderr.splitlines()
    assert 2 == answer.return_value
    assert place.startswith(f"pipelines/shop.yaml:{line}:")
    assert (f"{line} |   color: {{}}", "^") == (source.strip(), caret.split()[-1])
    assert "mend: set it with -p color=…" in mend


def test_a_wrong_name_in_a_query_has_its_line_of_the_page(desk: Desk) -> None:
    desk.page("SELECT name FROM things", "SELECT nam FROM things")
    answer = desk.engine("run", "shop")
    assert 2 == answer.return_value
    assert "cheap: { sql:" in answer.stderr
    assert "^" in answer.stderr


def test_a_tool_that_is_not_there_gets_the_nearest(desk: Desk) -> None:
    answer = desk.engine("run", "shp")
    assert (2, True) == (answer.return_value, 'did you mean "shop"?' in answer.stderr)


def _break_the_storage(desk: Desk) -> None:
    desk.engine("run", "shop")
    place = Path("storage/processed_data/shop/current.json")
    place.write_text(json.dumps({**json.loads(place.read_text()), "tables": {"things": 1}}))


def test_a_defect_is_one_line_with_its_id_and_a_record(desk: Desk) -> None:
    _break_the_storage(desk)
    answer = desk.engine("show", "shop")
    record = json.loads(Path("storage/logs/errors.jsonl").read_text().splitlines()[-1])
    assert (1, 1) == (answer.return_value, len(answer.stderr.splitlines()))
    assert record["error_id"] in answer.stderr
    assert "storage/logs/errors.jsonl" in answer.stderr
    assert "TypeError" == record["original_exception"]


def test_a_record_that_could_not_be_written_is_not_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _break_the_storage(desk)
    Path("storage/logs").write_text("in the way")
    said = desk.engine("show", "shop").stderr
    assert (True, False) == ("its record could not be written" in said, "errors.jsonl" in said)


@pytest.mark.parametrize("place", ["/dev/null", "/dev/null/x", "pipelines/shop.yaml"])
def test_a_storage_that_cannot_be_is_said(desk: Desk, place: str) -> None:
    answer = desk.engine("run", "shop", "--storage", place)
    assert (5, 2) == (answer.return_value, len(answer.stderr.splitlines()))
    assert answer.stderr.startswith(f"storage error: {place} ")


def test_a_defect_shows_its_trace_on_request(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_DEBUG", "1")
    _break_the_storage(desk)
    assert "Traceback" in desk.engine("show", "shop").stderr


def test_a_defect_of_a_run_is_recorded_once(desk: Desk) -> None:
    _break_the_storage(desk)
    answer = desk.engine("process", "shop")
    [record] = map(json.loads, Path("storage/logs/errors.jsonl").read_text().splitlines())
    assert (1, True) == (answer.return_value, record["error_id"] in answer.stderr)


def test_with_json_an_error_is_a_record_on_standard_output(desk: Desk) -> None:
    answer = desk.engine("run", "shp", "--json")
    record = json.loads(answer.stdout)
    assert (2, "config", 'no tool is called "shp"; did you mean "shop"?') == (
        answer.return_value,
        record["error_code"],
        record["message"],
    )


@pytest.mark.slow
def test_a_reader_of_a_table_that_goes_away_is_no_error(desk: Desk) -> None:
    desk.shop.things = [{"id": n, "name": "x" * 200, "price": 1.0} for n in range(2000)]
    desk.engine("run", "shop", "--only", "things")
    with desk.start("show", "shop", "things", "--limit", "2000") as started:
        assert started.stdout
        assert started.stderr
        started.stdout.readline()
        started.stdout.close()
        said = started.stderr.read()
    assert ("", 0) == (said, started.returncode)


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(desk: Desk) -> None:
    long = desk.page("tables:\n", "tables:\n" + "".join(f"  t{n}: {{ from: things }}\n" for n in range(400)))
    with desk.start("plan", str(long), "--resolved") as started:
        assert started.stdout
        assert started.stderr
        started.stdout.readline()
        started.stdout.close()
        said = started.stderr.read()
    assert ("", 0) == (said, started.returncode)


def _stopped(started: subprocess.Popen[str], times: int, number: signal.Signals) -> tuple[float, str]:
    """Seconds from the first signal to the end, and what was said."""
    began = time.monotonic()
    for _ in range(times):
        started.send_signal(number)
        if times > 1:
            _heard(started)
    _, said = started.communicate(timeout=60)
    return time.monotonic() - began, said


def _heard(started: subprocess.Popen[str]) -> None:
    assert started.stderr is not None
    while "stopping" not in (line := started.stderr.readline()) and line:
        pass


def test_a_run_that_waits_an_hour_for_its_rate_limit_stops(desk: Desk) -> None:
    started = desk.start("run", "shop", "-p", "rate=1/h")
    assert started.stderr is not None
    while "waiting" not in started.stderr.readline():
        pass
    _, said = _stopped(started, 1, signal.SIGTERM)
    assert 130 == started.returncode
    assert said.splitlines()[-1].endswith("it goes on with: engine run shop -p rate=1/h")


@pytest.mark.slow
def test_a_run_that_waits_for_an_answer_stops_within_two_seconds(desk: Desk) -> None:
    desk.shop.hold = True
    started = desk.start("run", "shop")
    assert desk.shop.held.wait(10)
    seconds, said = _stopped(started, 1, signal.SIGINT)
    assert (130, True) == (started.returncode, seconds < 2)
    assert said.splitlines()[-1].endswith("it goes on with: engine run shop")


@pytest.mark.slow
def test_a_run_that_was_stopped_while_a_vendor_hung_is_noted(desk: Desk) -> None:
    desk.shop.hold = True
    started = desk.start("run", "shop")
    assert desk.shop.held.wait(10)
    seconds, _ = _stopped(started, 1, signal.SIGTERM)
    ledger = Ledger(Path("storage/engine.db"), only_read=True)
    [last] = ledger.runs("shop")
    ledger.close()
    assert ("interrupted", True) == (last.status if last.ended_at else "", seconds < 2)


@pytest.mark.slow
def test_a_second_signal_ends_at_once(desk: Desk) -> None:
    desk.shop.hold = True
    started = desk.start("run", "shop")
    assert desk.shop.held.wait(10)
    seconds, _ = _stopped(started, 2, signal.SIGINT)
    assert (130, True) == (started.returncode, seconds < 1)
