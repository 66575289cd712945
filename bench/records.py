"""The records that the server of the benchmarks gives, in two shapes, each of one width with a hole for its id."""

from __future__ import annotations

import json
from typing import Any

SHAPES = ("flat", "nested")
WIDTHS = {"flat": 640, "nested": 1_280}
HOLE = "@@@@@@"
"""Where the six digits of the page's number go; the record's place in the page follows in four."""
TEAMS = ("core", "edge", "data", "risk")
SEVERITIES = ("low", "medium", "high", "critical")


def flat(at: int) -> dict[str, Any]:
    """Thirteen fields, none of them in another."""
    return {
        "id": f"{HOLE}{at:04d}",
        "title": f"Finding number {at} of a page, with a sentence that says what was found and where",
        "severity": SEVERITIES[at % 4],
        "score": at % 100 / 10,
        "count": at,
        "open": at % 3 == 0,
        "created": f"2026-03-{at % 28 + 1:02d}T10:00:00Z",
        "seen": str(1_780_000_000_000 + at),
        "email": f"owner{at % 97}@example.com",
        "team": TEAMS[at % 4],
        "asset": f"https://shop.example.com/api/v{at % 5}/orders/{at % 211}",
        "region": f"eu-{at % 7}",
    }


def nested(at: int) -> dict[str, Any]:
    """The same and more, four levels deep, with lists of objects that hold lists of objects."""
    given = flat(at)
    return {
        "id": given["id"],
        "attributes": {
            "title": given["title"],
            "state": {"severity": given["severity"], "open": given["open"]},
            "metrics": {"score": given["score"], "count": given["count"]},
            "times": {"created": given["created"], "seen": given["seen"]},
        },
        "owner": {
            "contact": {"email": given["email"], "phones": [{"kind": "work", "number": "+49 30 1234567"}]},
            "team": {"name": given["team"], "site": {"city": "Berlin", "country": {"code": "DE", "eu": True}}},
        },
        "tags": ["api", "rest", given["team"]],
        "credentials": [
            {"key": f"k{at}", "status": "revoked", "uses": [{"at": given["created"], "by": "deploy"}]},
            {"key": f"l{at}", "status": "approved", "uses": [{"at": given["created"], "by": "login"}, {"by": "test"}]},
        ],
        "places": [
            {"file": f"src/orders/{at % 211}.py", "lines": {"from": at, "to": at + 7}, "notes": [{"text": "see there"}]}
        ],
    }


def record(shape: str, at: int) -> bytes:
    """A record as JSON, filled up with a field `notes` to the width of its shape."""
    given = {"flat": flat, "nested": nested}[shape](at)
    short = len(json.dumps({**given, "notes": ""}))
    return json.dumps({**given, "notes": "x" * (WIDTHS[shape] - short)}).encode()
