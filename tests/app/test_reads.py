"""What a plan says of how columns are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.app import Engine

PAGE = """\
version: 1
tool: shop
connection: { base_url: "https://shop.example" }
endpoints: { things: { get: /things } }
tables:
  things:
    from: things
    key: id
    columns:
      id: { path: id, type: integer }
      color: { path: color || paint, type: string }
      whole: { path: details, type: json }
      sizes: { path: sizes.*, type: list }
      first_size: { sql: "sizes[1]", type: string }
"""


@pytest.fixture
def columns(tmp_path: Path) -> dict[str, Any]:
    page = tmp_path / "shop.yaml"
    page.write_text(PAGE)
    [table] = Engine.from_config(env={}).explain(page, verbose=True)["tables"]
    return {one["column"]: one for one in table["columns_read"]}


def test_a_plan_says_what_reads_each_column(columns: dict[str, Any]) -> None:
    expected = {"id": "Polars", "color": "Polars", "whole": "bytes", "sizes": "jmespath.py"}
    assert expected == {name: one["by"] for name, one in columns.items()}


def test_a_plan_says_what_is_presumed_of_records(columns: dict[str, Any]) -> None:
    assert ([], ["text: color, paint"]) == (columns["id"]["presumes"], columns["color"]["presumes"])


def test_a_plan_says_why_a_column_is_read_record_by_record_and_what_to_write_instead(columns: dict[str, Any]) -> None:
    assert "the values of an object" in columns["sizes"]["why"]
    assert "key_as" in columns["sizes"]["instead"]


def test_a_plan_says_nothing_of_columns_unless_asked(tmp_path: Path) -> None:
    page = tmp_path / "shop.yaml"
    page.write_text(PAGE)
    assert "columns_read" not in Engine.from_config(env={}).explain(page)["tables"][0]
