"""Kills of a page of many words: every paginator, fan-out, windows, jobs, second sweeps; encrypted; in PostgreSQL."""

import base64
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.author.crash import Matrix, Report, Settings
from engine.author.crash.nursery import Nursery
from engine.author.crash.vendor import Scene
from tests.crash.scenes import told
from tests.crash.words import NOON, Words, job, opening, page
from tests.servers import Postgres

DAY = 86_400.0
POINTS, RANDOM = 8, 4
ASKED_AGAIN = 2
"""How far an export is and where its files are is not kept: it is asked again beside what was in flight."""
IN_FLIGHT = 8 + ASKED_AGAIN
KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def vendor() -> Iterator[Words]:
    with Words() as opened:
        yield opened


def _report(
    vendor: Words, place: Path, in_flight: int = IN_FLIGHT, *, template: Path | None = None, **of_job: Any
) -> Report:
    settings = Settings(points=POINTS, ends=False, random=RANDOM, workers=1)
    return Matrix(job(place, **of_job), opening(vendor), in_flight, settings, template).run()


@pytest.mark.slow
def test_every_paginator_goes_on_where_it_was_killed(vendor: Words, tmp_path: Path) -> None:
    report = _report(vendor, page(tmp_path, vendor))
    assert ([], 3) == (told(report), report.exit_code)


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 8])
def test_jobs_windows_and_what_is_repeated_go_on_where_they_were_killed(
    vendor: Words, tmp_path: Path, concurrency: int
) -> None:
    report = _report(vendor, page(tmp_path, vendor, concurrency=concurrency, lists=False), concurrency + ASKED_AGAIN)
    assert [] == told(report)


@pytest.mark.slow
def test_a_second_run_goes_on_where_it_was_killed(vendor: Words, tmp_path: Path) -> None:
    place, first = page(tmp_path, vendor, lists=False), tmp_path / "first"
    with Nursery() as nursery:
        assert not nursery.run(job(place).but(config={"storage": str(first)})).error
    vendor.last = 14  # two more days have events, and what did not change is not sent again
    assert [] == told(_report(vendor, place, template=first, now=NOON + DAY))
    shutil.rmtree(first)


@pytest.mark.slow
def test_what_is_encrypted_goes_on_where_it_was_killed(vendor: Words, tmp_path: Path) -> None:
    assert [] == told(_report(vendor, page(tmp_path, vendor, lists=False), env={"ENCRYPTION_KEY": KEY}))


def _in(postgres: Postgres, inner: Callable[[], AbstractContextManager[Scene]]) -> Any:
    """Each storage with a ledger of its own in the database."""

    @contextmanager
    def opened() -> Iterator[Scene]:
        with inner() as scene:
            yield Scene({"config": {"database_url": postgres.new()}}, scene.asked)

    return opened


@pytest.mark.slow
def test_a_run_with_its_ledger_in_postgresql_goes_on_where_it_was_killed(
    vendor: Words, tmp_path: Path, postgres: Postgres
) -> None:
    place = page(tmp_path, vendor, lists=False)
    settings = Settings(points=POINTS, ends=False, random=RANDOM, workers=1)
    assert [] == told(Matrix(job(place), _in(postgres, opening(vendor)), IN_FLIGHT, settings).run())
