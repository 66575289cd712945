"""What the benches take from inside the engine is still there: each prints its table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "records", "row"),
    [
        ("expressions", "100", "| `` user.login ``"),
        ("rules", "50000", "| `json_schema`"),
        ("seal", "500", "| sealed |"),
    ],
)
def test_a_bench_prints_its_table(script: str, records: str, row: str) -> None:
    ran = subprocess.run(
        [sys.executable, BENCH / f"{script}.py", records], capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert row in ran.stdout
