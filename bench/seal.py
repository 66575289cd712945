"""What encryption costs: the whole walk with a key and without one, in turn, as the median of ratios.

`python bench/seal.py 200000` prints a Markdown table; each walk is a process of its own.
"""

from __future__ import annotations

import secrets
import sys

import measure

TURNS = 3
KEYS = {"plain": "", "sealed": secrets.token_hex(32)}
WHAT = ("wall", "cpu", "peak_mb")


def main(records: int) -> None:
    """Print a row for each kind and one of ratios."""
    case = measure.Case(count=records)
    found: dict[str, list[measure.Cost]] = {kind: [] for kind in KEYS}
    with measure.serving(case) as url:
        for _ in range(TURNS):
            for kind, key in KEYS.items():
                with measure.scratch() as folder:
                    words = [
                        sys.executable,
                        measure.HERE / "ours.py",
                        "full",
                        url,
                        *case.words()[:2],
                        case.shape,
                        folder,
                    ]
                    found[kind].append(measure.run(words, folder, {"ENCRYPTION_KEY": key}))
    rows = [
        [kind, *(f"{measure.median(getattr(one, what) for one in costs):.2f}" for what in WHAT)]
        for kind, costs in found.items()
    ]
    pairs = list(zip(*found.values(), strict=True))
    ratios = [measure.median(getattr(sealed, what) / getattr(plain, what) for plain, sealed in pairs) for what in WHAT]
    rows.append(["sealed ÷ plain", *(f"{one:.2f}" for one in ratios)])
    measure.say(measure.table([f"{records:,} records", "wall s", "CPU s", "peak MB"], rows))


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["200000"])[0].replace("_", "")))
