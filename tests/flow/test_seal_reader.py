"""The reader that docs/encryption.md prints for other programs opens what the engine writes."""

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.flow import parquet
from engine.flow.raw import Meta, Segment
from engine.flow.seal import CHUNK, Seal
from tests.house.source import ROOT

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def reader() -> dict[str, Any]:
    """What the code on the page defines."""
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "encryption.md").read_text(), re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)
    return found


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_it_reads_a_file(reader: dict[str, Any], tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    Seal(KEY, tmp_path).write(tmp_path / "a.csv.enc", content)
    assert content == reader["file"](KEY, (tmp_path / "a.csv.enc").read_bytes())


def test_it_reads_a_segment(reader: dict[str, Any], tmp_path: Path) -> None:
    place = tmp_path / "0000.1.seg"
    segment = Segment(place, Seal(KEY, tmp_path))
    for number in range(3):
        segment.append(Meta(number, "GET /x", "", 0.0), b"answer %d" % number)
    segment.close()
    found = list(reader["segment"](KEY, place.read_bytes()))
    assert [b"answer 0", b"answer 1", b"answer 2"] == [answer for _, answer in found]
    assert b'"page":2' in found[2][0]


def test_it_reads_a_part_of_a_table(reader: dict[str, Any], tmp_path: Path) -> None:
    rows = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    parquet.write(rows, tmp_path / "part.parquet", Seal(KEY, tmp_path))
    assert rows.equals(reader["parquet"](KEY, tmp_path / "part.parquet"))


def test_the_check_value_is_as_the_page_says(reader: dict[str, Any]) -> None:
    head = bytes(40) + b"\0\0"
    _, key = reader["opened"](KEY, head, b"check")
    assert key[:16].hex() == Seal(KEY).check
