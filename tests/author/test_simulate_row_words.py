"""What the simulated vendor sends where a page decodes fields, looks elements up and works columns out."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from engine.app.engine import registry
from engine.author.simulate.judge import Judge, rows_of
from engine.core import select
from engine.spec.model import Table
from tests.author.client import NOW, Opening

PAGE = """
version: 1
tool: acme
connection: { base_url: "https://api.acme.example/v2" }
endpoints:
  reports: { get: /reports, records: list, decode_fields: { data: base64+json } }
tables:
  reports:
    from: reports
    key: id
    columns: { id: { path: id, type: string }, score: { path: data.score, type: float } }
  issues:
    from: reports
    key: [report, hash]
    rows:
      - { each: data.paths, key_as: path }
      - { each: "@", key_as: verb }
      - each: issues
    columns:
      report: { path: parent.parent.parent.id, type: string }
      path: { path: parent.parent.path, type: string, values: [/a, /b] }
      verb: { path: parent.verb, type: string, values: [get, post] }
      score: { path: score, type: integer }
      place: { path: "parent.parent.parent.data.index[pointer]", type: string }
      hash: { sql: sha256(_raw) }
    validate: [{ required: [report, path, verb, place, hash] }, columns_changed]
"""


def test_encoded_fields_are_sent_encoded_and_what_they_hold_is_complete(opened: Opening) -> None:
    asked = opened(PAGE)
    records = asked.get("/reports")["list"]
    assert all(isinstance(record["data"], str) for record in records)
    whole = [{**record, "data": json.loads(base64.b64decode(record["data"]))} for record in records]
    table = asked.plan.pipeline.tables["issues"]
    rows = [row for record in whole for row in rows_of(table, record)]
    assert len(records) < len(rows)
    assert {"get", "post"} == {row["verb"] for row in rows}
    assert all(isinstance(row["place"], str) and row["path"] in ("/a", "/b") for row in rows)


def test_rules_on_columns_that_are_worked_out_are_held_against_what_they_give() -> None:
    columns = {"id": {"path": "id", "type": "string"}, "odd": {"sql": "length(_raw) > 12"}}
    rules = [{"expression": {"short": "NOT odd"}}]
    table = Table.model_validate(
        {"from": ["things"], "key": "id", "columns": columns, "validate": rules}, context={"registry": registry()}
    )
    judge = Judge("things", table, {}, datetime.fromtimestamp(NOW, UTC))
    rows = [row for record in ({"id": "a"}, {"id": "a", "b": 1}) for row in rows_of(table, record)]
    assert [[1]] == [numbers for _, _, numbers in judge.failing(rows)]


def test_a_lookup_finds_a_number_within_its_list(opened: Opening) -> None:
    asked = opened(
        """
version: 1
tool: acme
connection: { base_url: "https://api.acme.example/v2" }
endpoints: { things: { get: /things, records: list } }
tables:
  things:
    from: things
    key: id
    columns: { id: { path: id, type: string }, it: { path: "names[at]", type: string } }
"""
    )
    found = [
        select.compile("names[at]").search(record)
        for record in asked.get("/things")["list"]
        if {"at", "names"} <= set(record)
    ]
    assert found
    assert all(isinstance(one, str) for one in found)
