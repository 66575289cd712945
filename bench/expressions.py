"""What JMESPath costs: CPU a record of some expressions by Polars and by jmespath.py, without parsing and with it.

`python bench/expressions.py 100000` prints a Markdown table; the number of records may be left out. The expressions and
their documents are those of tests/cases/jmespath.yaml; each is measured three times, the two ways in turn.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from engine.core import jsontext, select
from engine.flow.columns import Wanted, reading, text_of
from engine.flow.frames import AT, Reader
from engine.flow.slices import Slice
from engine.flow.ways import Ways

CORPUS: Any = yaml.safe_load((Path(__file__).parents[1] / "tests" / "cases" / "jmespath.yaml").read_text())
TYPICAL = (
    "user.login",
    "items.data[0].price.unit_amount",
    "labels[].name",
    "tags[?key=='environment'].value | [0]",
    "credentials[?status=='approved'].apiProducts[].apiproduct",
    "Reservations[].Instances[].SecurityGroups[].GroupId",
    "Volumes[?Size < `20`].VolumeId",
    "path || uri",
    "rule.security_severity_level || rule.severity",
    "user_agent || header_value_user_agent",
    "status != 'CANCELLING' && status != 'CANCELLED'",
    "join(' ', [profile.firstName, profile.lastName])",
    "not_null(criticality, outcome.criticality)",
    "length(collaborator_ids)",
    "sum(Contents[].Size)",
    "sort_by(Contents, &Date)[*].Key",
    "tags[].join(': ', [categoryName, tagName])",
    "[rule_id_array, Botdefense_rule_id_array][]",
)
TOGETHER = ("docs and connectors: GitHub", "docs and connectors: Stripe, Jira, Okta")
PIECE, TIMES = 2_000, 3


def main(records: int = 50_000) -> None:
    """Print the table."""
    _say(f"{records:,} records, µs of CPU a record, the least of {TIMES} times\n")
    _say("| expression | jmespath.py | Polars | times as fast | with decoding | with parsing | times as fast |")
    _say("|---|---:|---:|---:|---:|---:|---:|")
    for path in TYPICAL:
        [(kind, documents)] = [
            (kind, one["documents"]) for one in CORPUS["groups"] for kind, text in _columns(one) if text == path
        ]
        _measure(f"`` {path} ``", [Wanted("v", path, kind)], documents, records)
    asked = {*CORPUS["asked"], *CORPUS["refused"]}
    for group in CORPUS["groups"]:
        if group["from"] in TOGETHER:
            fast = [(kind, path) for kind, path in _columns(group) if kind != "json" and path not in asked]
            wanted = [Wanted(f"v{at}", path, kind) for at, (kind, path) in enumerate(fast)]
            _measure(f"{len(wanted)} of {group['from']}, together", wanted, group["documents"], records)


def _measure(name: str, wanted: Sequence[Wanted], documents: Sequence[Any], records: int) -> None:
    """Say one row: what the columns cost of records that are read already, and what all costs."""
    rows = list(islice(cycle(json.dumps(one).encode() for one in documents if _fits(wanted, one)), records))
    pieces = [rows[at : at + PIECE] for at in range(0, records, PIECE)]
    decoded, body = [jsontext.read(row) for row in pieces[0]], b"[" + b",".join(pieces[0]) + b"]"
    first = reading(wanted)
    ways, reader = Ways(first, frozenset()), Reader(first, (), frozenset())
    way, _ = ways.of(body)
    try:
        parsed = pl.read_json(body, schema=way.schema)
    except pl.exceptions.PolarsError:  # as the reader does
        way, _ = ways.instead(body) or (way, None)
        parsed = pl.read_json(body, schema=way.schema)
    parsed = parsed.with_row_index(AT)
    seconds = _least(
        lambda: [_by_hand(wanted, decoded) for _ in pieces],
        lambda: [parsed.select(AT, *way.exprs) for _ in pieces],
        lambda: [_by_hand(wanted, [jsontext.read(row) for row in piece]) for piece in pieces],
        lambda: reader.read_all(Slice(0, piece, {}) for piece in pieces),
    )
    by_hand, by_polars, with_decoding, with_parsing = (1e6 * one / records for one in seconds)
    slow = f" ({len(way.reading.slow)} not translated)" if way.reading.slow else ""
    cells = [f"{by_hand:.2f}", f"{by_polars:.2f}", f"{by_hand / by_polars:.0f}"]
    cells += [f"{with_decoding:.2f}", f"{with_parsing:.2f}", f"{with_decoding / with_parsing:.1f}"]
    _say(f"| {name.replace('|', chr(92) + '|')}{slow} | {' | '.join(cells)} |")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _columns(group: Any) -> list[tuple[str, str]]:
    return [column for one in group["columns"] for column in one.items()]


def _least(*works: Callable[[], object]) -> list[float]:
    """The least CPU seconds of each, measured in turn."""
    least = [float("inf")] * len(works)
    for _ in range(TIMES):
        for at, work in enumerate(works):
            begin = time.process_time()
            work()
            least[at] = min(least[at], time.process_time() - begin)
    return least


def _fits(wanted: Sequence[Wanted], document: Any) -> bool:
    """Whether no function refuses what a document holds."""
    try:
        return bool(_by_hand(wanted, [document]))
    except select.SelectError:
        return False


def _by_hand(wanted: Sequence[Wanted], records: Sequence[Any]) -> list[pl.Series]:
    """As the reader does where an expression is not translated."""
    kinds = {one.name: pl.List(pl.String()) if one.type == "list" else pl.String() for one in wanted}
    searches = [(one, select.compile(one.path).search) for one in wanted]
    return [
        pl.Series(one.name, [text_of(search(record), one.type) for record in records], dtype=kinds[one.name])
        for one, search in searches
    ]


if __name__ == "__main__":
    main(*(int(word.replace("_", "")) for word in sys.argv[1:2]))
