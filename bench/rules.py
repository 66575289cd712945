"""What each rule costs a record: CPU nanoseconds where all rows pass and where one in a hundred fails.

`python bench/rules.py [records]` prints two Markdown tables: rule by rule, and 1, 10, 50 and 100 rules together. It
measures what a run does for the rules of a table, on typed rows in memory: no network, no files.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import polars as pl

from engine.core.errors import Mark
from engine.core.kinds import Rule, View
from engine.flow.across import of_frame
from engine.flow.contracts import Contracts
from engine.flow.frames import AT
from engine.flow.seal import PLAIN
from engine.flow.settle import settled
from engine.flow.slices import Slice
from engine.flow.sort import same_key
from engine.flow.validate import Placed, Validator
from engine.parts.rules import WORDS

BATCH_ROWS = 100_000
BAD = 100
"""One row in so many fails."""
STARTED_AT = datetime(2026, 6, 1, tzinfo=UTC)
SCHEMA = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string", "maxLength": 100},
        "mail": {"type": "string", "pattern": "@"},
        "score": {"type": "number", "minimum": 0, "maximum": 10},
    },
}
RULES: dict[str, dict[str, object]] = {
    "required": {"columns": ["name"]},
    "unique": {"columns": ["mail"]},
    "one_of": {"column": "level", "values": ["low", "medium", "high", "critical"]},
    "range": {"column": "score", "min": 0, "max": 10},
    "pattern": {"column": "mail", "regex": "^[^@]+@[^@]+$"},
    "refers_to": {"column": "team", "table": "teams", "to": "id"},
    "expression": {"checks": {"seen_after_made": "seen >= made"}},
    "json_schema": {"file": "record.schema.json"},
    "row_count": {"min": 1},
    "freshness": {"column": "made", "within": "36500d"},
    "forbid": {"names": ["token"]},
    "columns_changed": {},
}


def rule(word: str, **settings: object) -> Rule:
    """A rule as a page writes it."""
    module = import_module(f"engine.parts.rules.{word}")
    found: Rule = getattr(module, word.title().replace("_", "")).model_validate(settings or RULES[word])
    return found


def rows(bad: int) -> pl.DataFrame:
    """Typed rows; of a hundred so many break every rule that looks at rows."""
    at = pl.int_range(pl.len(), dtype=pl.Int64)
    fails, digits = at % BAD < bad, at.cast(pl.String)
    columns = {
        "name": pl.when(~fails).then(pl.format("Finding {} with a sentence that says what was found", digits)),
        "mail": pl.when(fails).then(pl.lit("nobody")).otherwise(pl.format("owner{}@example.com", digits)),
        "level": pl.when(fails).then(pl.lit("none")).otherwise(pl.lit("critical")),
        "score": pl.when(fails).then(11.0).otherwise((at % 100) / 10),
        "team": pl.when(fails).then(pl.lit("no team")).otherwise(pl.format("team {}", at % 1_000)),
        "made": pl.lit(STARTED_AT),
        "seen": pl.when(fails).then(pl.lit(datetime(2020, 1, 1, tzinfo=UTC))).otherwise(pl.lit(STARTED_AT)),
        "notes": pl.when(fails).then(pl.lit('{"token": "x"}')).otherwise(pl.lit("x" * 140)),
    }
    empty = pl.DataFrame({"id": pl.int_range(BATCH_ROWS, eager=True)})
    return empty.with_columns(value.alias(name) for name, value in columns.items()).with_columns(
        at.cast(pl.UInt64).alias(AT)
    )


def raw(bad: int) -> list[Slice]:
    """The same as records, a thousand a slice."""
    texts = [
        json.dumps({"id": at, "name": at if at % BAD < bad else f"Finding {at}", "mail": "a@b", "score": 1}).encode()
        for at in range(BATCH_ROWS)
    ]
    return [Slice(at, texts[at : at + 1_000], {}) for at in range(0, BATCH_ROWS, 1_000)]


def checking(rules: Sequence[Rule], frame: pl.DataFrame, records: Sequence[Slice], folder: Path) -> Callable[[], None]:
    """All that a run does for the rules of a table with these rows."""
    view = View({name: kind for name, kind in frame.schema.items() if name != AT}, {}, STARTED_AT)
    doubled = same_key(frame, ["id"])
    every = of_frame(frame, doubled, folder, PLAIN)
    teams = pl.DataFrame({"id": [f"team {at}" for at in range(1_000)]})
    checks = {number: one.record_check(lambda _: json.dumps(SCHEMA).encode()) for number, one in enumerate(rules)}
    placed = [Placed(one, type(one).word, Mark("page.yaml", 1, 1)) for one in rules]

    def check() -> None:
        contracts = Contracts({number: one for number, one in checks.items() if one})
        for piece in records:
            contracts.look(piece)
        asked = Validator("rows", placed, view, ["id"], contracts=contracts.broken, naming=b"k" * 32)
        validator = settled(asked, every, view.columns, lambda _: [teams], replaces=False)
        good, _ = validator.split(frame, doubled)
        validator.count(good.lazy())
        validator.finish(view.columns)

    return check


def nanoseconds(check: Callable[[], None], records: int) -> float:
    """The CPU of one record."""
    check()
    began = time.process_time()
    for _ in range(max(1, records // BATCH_ROWS)):
        check()
    return (time.process_time() - began) / max(1, records // BATCH_ROWS) / BATCH_ROWS * 1e9


def say(*cells: object) -> None:
    """One row of a Markdown table."""
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    sys.stdout.flush()


def main(records: int) -> None:
    """Print both tables."""
    good, bad = (rows(0), raw(0)), (rows(1), raw(1))
    with tempfile.TemporaryDirectory() as folder:

        def cost(rules: Sequence[Rule], frame: pl.DataFrame, pieces: Sequence[Slice]) -> str:
            return f"{nanoseconds(checking(rules, frame, pieces, Path(folder)), records):.0f}"

        say("rule", "all pass, ns", "1 % fails, ns")
        say("---", "---:", "---:")
        say("none", cost([], *good), cost([], *bad))
        for word in WORDS:
            say(f"`{word}`", *(cost([rule(word)], *each) for each in (good, bad)))
        sys.stdout.write("\n")
        say("rules", "all pass, ns", "ns a rule")
        say("---", "---:", "---:")
        for count in (1, 10, 50, 100):
            many = [rule("range", column="score", min=0, max=10 + at) for at in range(count)]
            found = cost(many, *good)
            say(count, found, f"{float(found) / count:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else 1_000_000)
