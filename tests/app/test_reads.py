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
      size: { path: size || length, type: integer }
      whole: { path: details, type: json }
      said: { path: 'to_string(parts[])', type: string }
      same: { path: 'parts[] == others[]', type: boolean }
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
    expected = {"id": "Polars", "color": "Polars", "size": "Polars", "whole": "bytes"}
    expected |= dict.fromkeys(["sizes", "said", "same"], "jmespath.py")
    assert expected == {name: one["by"] for name, one in columns.items()}


def test_a_plan_says_what_is_presumed_of_records(columns: dict[str, Any]) -> None:
    assert ([], ["text: color, paint"]) == (columns["id"]["presumes"], columns["color"]["presumes"])
    assert ["a number: size, length"] == columns["size"]["presumes"]


def test_a_plan_says_why_a_column_is_read_record_by_record_and_what_to_write_instead(columns: dict[str, Any]) -> None:
    assert "the values of an object" in columns["sizes"]["why"]
    assert "key_as" in columns["sizes"]["instead"]
    assert "the path without to_string() in a column of type: json" == columns["said"]["instead"]
    assert "compare lengths or single elements" in columns["same"]["instead"]


def test_a_plan_says_how_fields_are_read_that_endpoints_add(tmp_path: Path) -> None:
    columns = "{ k: { path: \"contains(kind, 'x')\", type: boolean }, w: { path: w, type: string } }"
    added = '{ get: "/things/${kind}", for_each: { kind: [x] }, add: { kind: "${kind}" } }'
    k, w = _read(tmp_path, columns, added)
    assert ("jmespath.py", "Polars", "") == (k["by"], w["by"], w["why"])
    assert k["why"]


def test_a_plan_takes_for_a_list_what_can_be_nothing_else(tmp_path: Path) -> None:
    names, keys = _read(tmp_path, "{ names: 'labels[].name', keys: labels.* }")
    assert ("Polars", "") == (names["by"], names["why"])
    assert "jmespath.py" == keys["by"]


def _read(folder: Path, columns: str, endpoint: str = "/things") -> list[dict[str, Any]]:
    page, (head, _) = folder / "shop.yaml", PAGE.split("endpoints:")
    page.write_text(
        f"{head}endpoints: {{ things: {endpoint} }}\ntables: {{ things: {{ from: things, columns: {columns} }} }}"
    )
    [table] = Engine.from_config(env={}).explain(page, verbose=True)["tables"]
    found: list[dict[str, Any]] = table["columns_read"]
    return found


def test_a_plan_says_nothing_of_columns_unless_asked(tmp_path: Path) -> None:
    page = tmp_path / "shop.yaml"
    page.write_text(PAGE)
    assert "columns_read" not in Engine.from_config(env={}).explain(page)["tables"][0]
