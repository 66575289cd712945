"""The crash test itself: it finds the faults of a resume that does not work, and says them to a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from engine.author.crash import Matrix, Settings
from engine.author.crash.job import Job
from engine.author.crash.matrix import chosen
from engine.cli.main import commands
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
def test_a_user_sees_kills_differences_and_repeated_requests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["test", "--crash", "cequence", "--only", "events", "--points", "2", "--random", "2", "--seed", "3"]
    screen = CliRunner().invoke(commands, words)
    assert "every run ended as if nobody had been killed; seed 3" in screen.stdout, screen.output
    said = json.loads(CliRunner().invoke(commands, [*words, "--json"]).stdout)
    assert (True, 3, 2) == (
        said["holds"],
        said["seed"],
        sum(one["kind"].startswith("at random") for one in said["tried"]),
    )
    assert [] == list(tmp_path.iterdir())
