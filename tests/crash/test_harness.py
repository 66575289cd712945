"""The crash test itself: it finds the faults of a resume that does not work, and says them to a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from engine.author.crash import Matrix, Report, Settings
from engine.author.crash.job import Job
from engine.author.crash.matrix import Tried, chosen
from engine.cli.main import commands
from engine.cli.test import show
from engine.flow import kept, store
from engine.flow.ledger import Ledger
from tests.crash.words import Words, job, opening, page


def forgetful(job: Job) -> None:
    """In the process of a run: what was kept before is not found again, as if frames were dropped."""
    store.Store.take_over = lambda self, endpoint, run, fence: ([], [])  # type: ignore[method-assign]


def unsealed(job: Job) -> None:
    """In the process of a run: pages that were kept are asked for again."""
    kept.Replay.answer = lambda self, request, endpoint: None  # type: ignore[method-assign]


def restless(job: Job) -> None:
    """In the process of a run: a run that was interrupted is never found, and another one begins."""
    Ledger.newest = lambda self, tool, collecting=False: None  # type: ignore[method-assign]


@pytest.mark.slow
@pytest.mark.parametrize("broken", [forgetful, unsealed, restless])
def test_a_resume_that_does_not_work_is_found(tmp_path: Path, broken: Callable[[Job], None]) -> None:
    with Words(20) as vendor:
        place = page(tmp_path, vendor, lists=False)
        broken_job = job(place, before=f"tests.crash.test_harness:{broken.__name__}")
        report = Matrix(broken_job, opening(vendor), 8, Settings(points=3, random=2, workers=1)).run()
    assert not report.holds
    assert [True] == [one.holds for one in report.tried if not one.kills][:1]


def test_a_sample_of_points_is_even_and_has_both_ends_of_each_kind() -> None:
    points = [("a", n) for n in range(1, 101)] + [("b", 1), ("b", 2)]
    assert [("a", 1), ("a", 51), ("a", 100), ("b", 1), ("b", 2)] == chosen(points, 3)
    assert points == chosen(points, None)


def test_without_crash_it_says_what_there_is() -> None:
    with pytest.raises(click.UsageError, match="engine test --crash PAGE"):
        CliRunner().invoke(commands, ["test", "cequence"], catch_exceptions=False, standalone_mode=False)


@pytest.mark.slow
def test_a_user_sees_whether_a_page_holds_and_nothing_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "test",
        "--crash",
        "cequence",
        "--only",
        "events",
        "--points",
        "1",
        "--random",
        "2",
        "--seed",
        "3",
        "--json",
    ]
    said = json.loads(CliRunner().invoke(commands, words).stdout)
    random = [one for one in said["tried"] if one["kind"].startswith("at random")]
    assert (True, 3, 2, []) == (said["holds"], said["seed"], len(random), list(tmp_path.iterdir()))


def test_a_screen_names_kills_differences_and_requests(capsys: pytest.CaptureFixture[str]) -> None:
    tried = [Tried("frame kept", "frame kept 7", 1, ("marks", "current.json"), ("GET /a", "GET /b"), 1, 3)]
    show(Report("page.yaml", 12, 40, 1.5, 1, 9, 0, tried, 60.0).as_json())
    screen = " ".join(capsys.readouterr().out.split())
    assert "frame kept 1 1 2 2 2 3 all 1 1 2 2 2 3" in screen
    assert "killed at frame kept 7: marks, current.json; 2 requests repeated (at most 1), 3 missing" in screen
    assert "1 runs did not hold; seed 9, 60 seconds" in screen
