"""Records that are set apart, as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.flow.pages import Shop, made

PAGE = """
tables:
  things: { from: things, key: id, columns: { id: { path: id, type: integer }, v: { path: v, type: integer } } }
"""


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ('{"id": 1, "v": "x", "n": 1.5}', {"id": 1, "v": "x", "n": 1.5}),
        ('{"id": 1, "v": 1e400}', '{"id": 1, "v": 1e400}'),
        ('{"id": 1, "v": "\\ud800"}', {"id": 1, "v": "\ufffd"}),
    ],
    ids=["JSON", "a number beyond all floats", "half a surrogate pair"],
)
def test_a_record_is_shown_as_json_or_else_as_the_text_that_was_sent(tmp_path: Path, sent: str, shown: Any) -> None:
    shop = Shop(tmp_path, PAGE)
    made(shop, f"[{sent}]")
    [row] = shop.engine.quarantine("shop").rows()
    assert shown == row["record"]
    json.dumps(row, allow_nan=False, ensure_ascii=False).encode()
