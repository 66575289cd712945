"""Rules over generated rows leave what a plain reading leaves, each reason with the name that it always had."""

from __future__ import annotations

import hashlib
import json
import re
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import Json, Mark
from engine.core.kinds import View
from engine.flow.across import of_frame
from engine.flow.apart import abouts, named
from engine.flow.contracts import Contracts
from engine.flow.frames import AT
from engine.flow.seal import PLAIN
from engine.flow.settle import settled
from engine.flow.slices import Shapeless, Slice
from engine.flow.sort import same_key
from engine.flow.validate import Placed, Validator
from tests.flow.pages import Shop, made, told
from tests.parts.tables import STARTED_AT, rule

KEY = b"k" * 32
COLUMNS = {"id": pl.Int64, "name": pl.String, "score": pl.Int64, AT: pl.UInt64}
RULES: dict[str, Any] = {
    "required": {"columns": ["name"]},
    "range": {"column": "score", "min": 0, "max": 5},
    "pattern": {"column": "name", "regex": "^a"},
    "one_of": {"column": "score", "values": ["1", "2", "9"], "level": "warning"},
    "unique": {"columns": ["id"]},
    "refers_to": {"column": "name", "table": "names", "to": "name"},
}
KNOWN = ["a", "ab"]
ROWS = st.lists(
    st.tuples(st.none() | st.integers(0, 4), st.sampled_from([None, "a", "ab", "b"]), st.none() | st.integers(-1, 9)),
    max_size=12,
)


def _breaks(rows: list[tuple[Any, ...]], at: int, there: set[int | None]) -> list[tuple[str, str]]:
    """The rules that a row breaks, behind rows of these keys that stay, and what is said."""
    key, name, score, _ = rows[at]
    found = []
    if name is None:
        found.append(("required", "name is missing"))
    if score is not None and score < 0:
        found.append(("range", "score is below 0"))
    if score is not None and score > 5:
        found.append(("range", "score is above 5"))
    if name is not None and not re.search("^a", name):
        found.append(("pattern", "name does not match ^a"))
    if key is not None and key in there:
        found.append(("unique", "another row has the same id"))
    if name is not None and name not in KNOWN:
        found.append(("refers_to", "name is not in names.name"))
    return found


def _spans(doubled: pl.Series, each: int) -> list[tuple[int, int]]:
    """Where frames of about so many rows begin, and their lengths: all rows of a key are in one."""
    starts = [at for at in range(doubled.len()) if not doubled[at]][::each] or [0]
    return [(at, end - at) for at, end in pairwise([*starts, doubled.len()])]


def _columns_of(says: str) -> str:
    return says.removeprefix("another row has the same ").split(" ")[0]


@given(ROWS, st.integers(1, 5))
def test_good_rows_and_reasons_are_those_of_a_plain_reading(rows: list[tuple[Any, ...]], each: int) -> None:
    numbered = [(*row, at) for at, row in enumerate(sorted(rows, key=lambda row: (row[0] is not None, row[0] or 0)))]
    frame = pl.DataFrame(numbered, COLUMNS, orient="row")
    parts = [rule(word, settings) for word, settings in RULES.items()]
    placed = [Placed(one, type(one).word, Mark("page.yaml", 1, 1)) for one in parts]
    view = View({name: COLUMNS[name]() for name in ("id", "name", "score")}, {}, STARTED_AT)
    with TemporaryDirectory() as folder:
        doubled = same_key(frame, ["id"])
        every = of_frame(frame, doubled, Path(folder), PLAIN)
        asked = Validator("things", placed, view, ["id"], naming=KEY)
        validator = settled(asked, every, view.columns, lambda _: [pl.DataFrame({"name": KNOWN})], replaces=False)
        pieces = [validator.split(frame.slice(*span), doubled.slice(*span)) for span in _spans(doubled, each)]
    broken = dict[int, list[tuple[str, str]]]()
    for at in range(len(rows)):
        if found := _breaks(numbered, at, {row[0] for row in numbered[:at] if row[-1] not in broken}):
            broken[at] = found
    assert [row for row in numbered if row[-1] not in broken] == pl.concat([good for good, _ in pieces]).rows()
    reasons = pl.concat([bad for _, bad in pieces]).to_dicts()
    assert {(at, *one) for at, every in broken.items() for one in every} == {
        (one[AT], one["rule"], one["says"]) for one in reasons
    }
    assert sum(map(len, broken.values())) == len(reasons)
    for one in reasons:
        key, name, score, _ = numbered[one[AT]]
        text = json.dumps({"id": key, "name": name, "score": score}, separators=(",", ":"))
        name_of_row = text if key is None else json.dumps({"id": key}, separators=(",", ":"))
        assert (text, _columns_of(one["says"])) == (one["record"], one["column"])
        assert _about(name_of_row) == one["about"]
        assert named(one["rule"], one["column"], one["says"], one["about"]) == one["id"]


def _about(text: str) -> int:
    keyed = hashlib.blake2b(b"things\n" + text.encode(), digest_size=8, key=KEY)
    return int.from_bytes(keyed.digest(), "big")


def test_a_row_without_key_and_record_has_no_number() -> None:
    keys = pl.Series("key", [None, '{"id":1}'], dtype=pl.String)
    assert [None, _about('{"id":1}')] == abouts(KEY, "things", keys).to_list()


def test_two_contracts_are_each_held_against_the_same_record(tmp_path: Path) -> None:
    for name, kind in (("one", "integer"), ("other", "string")):
        schema = {"properties": {name: {"type": kind}}}
        (tmp_path / f"{name}.schema.json").write_text(json.dumps(schema))
    shop = _shop(tmp_path, "{ json_schema: one.schema.json }", "{ json_schema: other.schema.json }")
    result = made(shop, [{"id": 1, "one": 1, "other": "x"}, {"id": 2, "one": "x"}, {"id": 3, "one": "x", "other": 1}])
    assert [("json_schema", "error", 2, False), ("json_schema", "error", 1, False)] == told(result)
    assert [1] == shop.column("id")


def test_beside_a_record_that_is_no_json_the_others_are_held_against_the_contract() -> None:
    def check(record: Json) -> str | None:
        return None if record["a"] else "a is nothing"

    contracts = Contracts({3: check})
    contracts.look(Slice(5, [b'{"a":1}', b'{"a":"\xff"}', Shapeless.of(b"{}", "no rows"), b'{"a":0}'], {}))
    contracts.look(Slice(9, [b'{"a":0}', b'{"a":1}'], {}))
    rows = pl.DataFrame({AT: range(5, 11)}, {AT: pl.UInt64})
    assert [None, None, None, "a is nothing", "a is nothing", None] == contracts.broken[3].of(rows).to_list()


def _shop(folder: Path, *rules: str) -> Shop:
    columns = "columns: { id: { path: id, type: integer } }"
    return Shop(folder, f"tables: {{ things: {{ from: things, key: id, {columns}, validate: [{', '.join(rules)}] }} }}")
