"""The engine's own run of the records: bare, with one unique rule, or full, with 12 rules and 5 steps.

`ours.py WAY URL PAGING SIZE SHAPE FOLDER`: collect, keep what came, type it, and publish the table as Parquet.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

WAYS = ("bare", "unique", "full")
PAGE = """
version: 1
tool: walk
connection: { base_url: "${param.url}" }
params: { url: { doc: Where the server is } }
secrets: { pepper: { env: PEPPER } }
endpoints:
  records: { get: /records, records: data, paginate: PAGING }
tables:
  records:
    from: records
    key: id
    columns:
"""
PAGING = {
    "cursor": "{ cursor: { read: answer.next, send: query.cursor } }",
    "page_number": "{ page_number: { send: query.page, total: answer.total } }",
}
FLAT = """
      id: { path: id, type: string }
      title: { path: title, type: string }
      severity: { path: severity, type: string }
      score: { path: score, type: float }
      count: { path: count, type: integer }
      open: { path: open, type: boolean }
      created_at: { path: created, type: datetime }
      seen_at: { path: seen, type: datetime, unit: ms }
      owner_email: { path: email, type: string }
      team: { path: team, type: string }
      asset: { path: asset, type: string }
      region: { path: region, type: string }
"""
NESTED = """
      id: { path: id, type: string }
      title: { path: attributes.title, type: string }
      severity: { path: attributes.state.severity, type: string }
      score: { path: attributes.metrics.score, type: float }
      count: { path: attributes.metrics.count, type: integer }
      open: { path: attributes.state.open, type: boolean }
      created_at: { path: attributes.times.created, type: datetime }
      seen_at: { path: attributes.times.seen, type: datetime, unit: ms }
      owner_email: { path: owner.contact.email, type: string }
      team: { path: owner.team.name, type: string }
      tags: { path: tags, type: list }
      first_value: { path: "credentials[?status=='approved'] | [0].key", type: string }
"""
UNIQUE = """
    validate:
      - unique: id
"""
FULL = """
    validate:
      - required: [id, title, severity]
      - unique: id
      - one_of: { column: severity, values: [low, medium, high, critical] }
      - one_of: { column: team, values: [core, edge, data, risk], level: warning }
      - range: { column: score, min: 0, max: 10 }
      - range: { column: count, min: 0 }
      - pattern: { column: owner_email, regex: "^[^@]+@[^@]+$" }
      - pattern: { column: id, regex: "^[0-9]{10}$" }
      - expression: { seen_after_created: seen_at >= created_at }
      - forbid: [token]
      - row_count: { min: 1 }
      - freshness: { column: created_at, within: 36500d }
    enrich:
      - derive: { grade: "CASE WHEN score > 7 THEN 'high' ELSE 'low' END" }
      - derive: { age_days: "date_diff('day', created_at, run.started_at)" }
      - map: { column: severity, values: { critical: severe }, otherwise: keep }
      - mask: { column: owner_email, hmac: "${secret.pepper}" }
      - rename: { title: name }
"""


def text(way: str, paging: str, shape: str) -> str:
    """The page."""
    columns = FLAT if shape == "flat" else NESTED
    checked = {"bare": "", "unique": UNIQUE, "full": FULL}[way]
    return PAGE.replace("PAGING", PAGING[paging]) + columns.lstrip("\n") + checked.lstrip("\n")


def main(way: str, url: str, paging: str, shape: str, folder: Path) -> None:
    """Run the page, and say how many rows its table has."""
    from engine.app import Engine
    from engine.app.config import Config

    page = folder / "walk.yaml"
    page.write_text(text(way, paging, shape))
    env = {name: os.environ.get(name, "") for name in ("PEPPER", "ENCRYPTION_KEY")}
    engine = Engine(config=Config.model_validate({"storage": folder / "storage"}), env=env)
    result = engine.run(page, params={"url": url})
    assert result.status == "succeeded", result.as_json()
    sys.stdout.write(f"{result.records_processed}\n")


if __name__ == "__main__":
    _, way, url, paging, _, shape, folder = sys.argv
    main(way, url, paging, shape, Path(folder))
