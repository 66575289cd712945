"""Kills of the three pages: against the simulator and against the stand-ins of their vendors; a sample of all kills.

All of them: `engine test --crash PAGE --points all`.
"""

from pathlib import Path

import pytest

from engine.app import Engine
from engine.author.crash import Matrix, Settings, simulated
from tests.crash.scenes import VENDORS, told, tried
from tests.house.source import ROOT

IN_FLIGHT = 8


@pytest.mark.slow
@pytest.mark.parametrize("tool", VENDORS)
def test_a_page_goes_on_where_it_was_killed_with_a_simulated_vendor(tool: str) -> None:
    job, opening, in_flight = simulated(Engine(env={}), str(ROOT / "pipelines" / f"{tool}.yaml"))
    report = Matrix(job, opening, in_flight, Settings(points=6, ends=False, random=2)).run()
    assert ([], 0) == (told(report), report.exit_code)


@pytest.mark.slow
@pytest.mark.parametrize("tool", VENDORS)
def test_a_page_goes_on_where_it_was_killed_with_a_stand_in(tool: str, tmp_path: Path) -> None:
    with VENDORS[tool](tmp_path) as (vendor, job):
        report = tried(vendor, job, IN_FLIGHT, points=6, ends=False, random=2)
    assert ([], 0) == (told(report), report.exit_code)
