"""The table of docs/durability.md: each fault that is tried stands there as measured, each test it names exists."""

import re
from collections.abc import Iterator

from tests.crash.vendor_faults import FAULTS
from tests.house.source import ROOT

TEXT = (ROOT / "docs" / "durability.md").read_text()
HEADS = ("fault", "does", "exit", "lost", "twice", "proved")
OF_ALL = "crash/test_vendor_faults.py"


def _rows() -> Iterator[dict[str, str]]:
    for line in TEXT.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == len(HEADS) and cells[3].isdecimal():
            yield dict(zip(HEADS, cells, strict=True))


def test_each_fault_of_a_vendor_that_is_tried_stands_there_with_its_exit_code() -> None:
    told = {row["fault"]: int(row["exit"]) for row in _rows() if row["proved"] == f"`{OF_ALL}`"}
    assert {name: fault.exit_code for name, fault in FAULTS.items()} == told


def test_no_fault_loses_or_repeats_a_row() -> None:
    assert {("0", "0")} == {(row["lost"], row["twice"]) for row in _rows()}


def test_each_test_that_it_names_exists() -> None:
    named = [name for row in _rows() for name in re.findall(r"`([^`]+)`", row["proved"])]
    missing = []
    for name in named:
        place, _, function = name.partition("::")
        found = (ROOT / "tests" / place).read_text() if (ROOT / "tests" / place).is_file() else ""
        if not found or (function and f"def {function}(" not in found):
            missing.append(name)
    assert ([], True) == (missing, len(named) > len(FAULTS))
