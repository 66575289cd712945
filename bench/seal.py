"""What encryption costs: the whole walk with a key and without one, in turn, and the ratio of the best of each.

`python bench/seal.py 200000` prints seconds and CPU of collect and process; each walk is a process of its own.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

from walk import say, serving

TURNS = 3
KINDS = ("plain", "sealed")
WHAT = ("collect", "process", "cpu", "peak_mb")


def walked(url: str, records: int, key: str) -> dict[str, float]:
    """What one walk took."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("walk.py")), "walk", url, str(records)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "ENCRYPTION_KEY": key},
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(records: int) -> None:
    """Print a row for each kind and one of ratios."""
    keys = {"plain": "", "sealed": secrets.token_hex(32)}
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with serving() as url:
        for _ in range(TURNS):
            for kind in KINDS:
                found[kind].append(walked(url, records, keys[kind]))
    best = {kind: [min(one[what] for one in found[kind]) for what in WHAT] for kind in KINDS}
    say(f"{records:,} records, the best of {TURNS} turns")
    say(f"{'':>8} {'collect s':>10} {'process s':>10} {'CPU s':>8} {'peak MB':>8}")
    for kind in KINDS:
        say(f"{kind:>8} {best[kind][0]:>10.2f} {best[kind][1]:>10.2f} {best[kind][2]:>8.2f} {best[kind][3]:>8.0f}")
    ratios = [one / other for one, other in zip(best["sealed"], best["plain"], strict=True)]
    say(f"{'ratio':>8} {ratios[0]:>10.2f} {ratios[1]:>10.2f} {ratios[2]:>8.2f} {ratios[3]:>8.2f}")


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["200000"])[0].replace("_", "")))
