"""What was measured as Markdown, and docs/performance.md with it between its markers."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measure import Case, median, table

NAMES = {
    "limit": "hand-written limit",
    "bare": "engine, bare",
    "unique": "engine, one unique rule",
    "full": "engine, 12 rules and 5 steps",
    "dlt": "dlt to Parquet",
    "airbyte": "Airbyte CDK to stdout",
    "singer": "Singer SDK to stdout",
}
PEERS = ("dlt", "airbyte", "singer")
Line = dict[str, Any]


def lines(results: Path) -> list[Line]:
    """Everything that was noted, oldest first; a line that was cut off is left out."""
    found = []
    for line in results.read_text().splitlines() if results.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def machine() -> Line:
    """What the figures come from; nothing that names it."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "ram_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "polars": version("polars"),
    }


def _processor() -> str:
    """The model of the processor, as the system calls it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor()


def section(name: str, kept: Sequence[Line]) -> str:
    """A section of what was measured last; empty where nothing was."""
    found = [one for one in kept if one["section"] == name]
    if not found:
        return ""
    if name == "machine":
        return _machine({**found[-1], "peers": next((one["peers"] for one in reversed(found) if one["peers"]), {})})
    if "text" in found[-1]:
        return str(found[-1]["text"])
    found = [one for one in found if one["case"]["count"] == found[-1]["case"]["count"]]
    cases = {Case(**one["case"]): list[Line]() for one in found}
    newest = {case: max(one["session"] for one in found if Case(**one["case"]) == case) for case in cases}
    for one in found:
        if one["session"] == newest[Case(**one["case"])]:
            cases[Case(**one["case"])].append(one)
    return _matrix(cases) if name == "matrix" else _single(*list(cases.items())[-1])


def _machine(one: Line) -> str:
    peers = f" Peers: {', '.join(one['peers'].values())}." if one.get("peers") else ""
    return (
        f"Measured on {one['session'][:10]}: {one['cores']} cores ({one['processor']}), {one['ram_gb']} GB, "
        f"{one['system']}, Python {one['python']}, Polars {one['polars']}.{peers}"
    )


def _single(case: Case, found: Sequence[Line]) -> str:
    """One row for each that was measured, and how far the fastest peer is behind."""
    names = [name for name in NAMES if any(one["who"] == name for one in found)]
    rows = []
    for name in names:
        mine = [one for one in found if one["who"] == name]
        wall, cpu, peak = (median(one[what] for one in mine) for what in ("wall", "cpu", "peak_mb"))
        spread = f"{min(one['wall'] for one in mine):.2f}–{max(one['wall'] for one in mine):.2f}"
        ratios = [_ratio(found, name, ("limit",), what) for what in ("wall", "cpu")]
        cells = [f"{wall:.2f}", spread, f"{cpu:.2f}", f"{peak:.0f}", f"{case.count / wall:,.0f}", *map(_times, ratios)]
        rows.append([NAMES[name], *cells, str(len(mine))])
    heads = ["", "wall s", "least–most", "CPU s", "peak MB", "records/s", "wall ÷ limit", "CPU ÷ limit", "rounds"]
    text = f"{case.count:,} records: {case}.\n\n{table(heads, rows)}"
    rounds = {one["round"] for one in found}
    for name in names:
        if failed := len(rounds) - sum(one["who"] == name for one in found):
            text += f"\n\n{NAMES[name]} failed in {failed} of {len(rounds)} rounds."
    served = median(one["server_cpu"] for one in found)
    text += f"\n\nThe server took {served:.2f} s of CPU beside each of them (median)."
    for name in ("bare", "full"):
        if (behind := _ratio(found, name, PEERS, "wall")) is not None:
            text += f" The fastest peer's wall time is {1 / behind:.1f} times that of {NAMES[name]}."
    return text


def _matrix(cases: dict[Case, list[Line]]) -> str:
    """One row for each variant."""
    rows = []
    for case, found in cases.items():
        cells = [case.paging, f"{case.size:,}", case.coding, case.shape]
        for name in ("limit", "bare", "full"):
            mine = [one for one in found if one["who"] == name]
            cells += [f"{median(one[what] for one in mine):.2f}" if mine else "" for what in ("wall", "cpu")]
        cells += [_times(_ratio(found, "full", ("limit",), what)) for what in ("wall", "cpu")]
        for name in PEERS:
            mine = [one for one in found if one["who"] == name]
            cells.append(f"{median(one['wall'] for one in mine):.1f}" if mine else "")
        rows.append(cells)
    rows.sort(key=lambda row: (row[3], row[0], row[1] == "100", row[2] == "gzip"))
    heads = ["paging", "a page", "coding", "shape", "limit s", "CPU", "bare s", "CPU", "full s", "CPU"]
    heads += ["full ÷ limit", "CPU ÷", "dlt s", "Airbyte s", "Singer s"]
    return f"{next(iter(cases)).count:,} records each.\n\n{table(heads, rows)}"


def _ratio(found: Sequence[Line], name: str, others: Iterable[str], what: str) -> float | None:
    """The median over the rounds of what one took, by the least that any of the others took in the same round."""
    ratios = []
    for turn in {one["round"] for one in found}:
        here = {one["who"]: one[what] for one in found if one["round"] == turn}
        least = min((here[other] for other in others if other in here), default=None)
        if name in here and least:
            ratios.append(here[name] / least)
    return median(ratios) if ratios else None


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def write(path: Path, kept: Sequence[Line], names: Sequence[str]) -> None:
    """Put each section that was measured between its markers; the rest of the document stays."""
    text = path.read_text()
    for name in names:
        if made := section(name, kept):
            between = re.compile(rf"(<!-- bench: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
            text = between.sub(_put(made), text)
    path.write_text(text)


def _put(made: str) -> Callable[[re.Match[str]], str]:
    return lambda found: f"{found[1]}\n{made}\n\n{found[2]}"
