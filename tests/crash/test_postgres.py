"""Kills with the ledger in PostgreSQL: what is left is, byte for byte, what a run leaves whose ledger is a file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.crash.bench import Bench
from tests.servers import Postgres

IN_FLIGHT = 8
OF_EACH = 1
"""Of the points of each name so many, spread over the run."""


def _sample(points: tuple[str, ...]) -> list[tuple[str, int]]:
    """(name, how often it was reached), spread over the run."""
    counted = Counter(points)
    return [
        (name, 1 + (2 * at + 1) * (count - 1) // (2 * OF_EACH))
        for name, count in counted.items()
        for at in range(min(OF_EACH, count))
    ]


@pytest.mark.slow
def test_a_run_that_is_killed_with_postgresql_leaves_what_an_undisturbed_one_leaves(
    undisturbed: Bench, tmp_path: Path, postgres: Postgres
) -> None:
    base = undisturbed.base
    ended = undisturbed.at(tmp_path / "whole").run(postgres.new())
    assert [] == undisturbed.differs(ended)
    for point in _sample(ended.points):
        one, database = undisturbed.at(tmp_path / f"{point[0]} {point[1]}".replace(" ", "-")), postgres.new()
        assert one.run(database, point=point).killed, point
        again = one.run(database, unless=base.run)
        assert ([], True, 0) == (one.differs(again), one.asked_again() <= IN_FLIGHT, one.not_asked()), point
