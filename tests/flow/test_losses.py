"""What JSON readers lose without a word: each value is read as it was sent, or its record is set apart with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.batches import batches
from engine.flow.columns import Wanted, reading, typed
from engine.flow.frames import AT, Reader, Rows
from engine.flow.raw import Frame, Meta
from engine.flow.slices import Array, Kept, Slice, slices
from engine.spec.model import RAW
from tests.flow.reading import REFUSED

WANTED = [
    Wanted("id", "id", "integer"),
    Wanted("name", "owner.name", "string"),
    Wanted("score", "score", "float"),
    Wanted("open", "open", "boolean"),
    Wanted("day", "day", "date"),
    Wanted("at", "at", "datetime"),
    Wanted("seen", "seen", "datetime", "ms"),
    Wanted("tags", "tags", "list"),
    Wanted("first", "tags[0]", "string"),
    Wanted("keys", "keys[?status=='ok'].id", "list"),
]
GOOD = (
    '{"id": 1, "owner": {"name": "x"}, "score": 1.5, "open": true, "day": "2026-01-02", "at": "2026-01-02T03:04:05Z", '
    '"seen": 1780000000000, "tags": ["a", "b"], "keys": [{"status": "ok", "id": 7}], '
    f'"notes": "{"x" * 2_000}"}}'
)
PAGE = 120
"""So many records fill a page that is parsed as it came."""


def _page(*records: str, number: int = 0, add: dict[str, Any] | None = None) -> Kept:
    text = f"[{','.join(records)}]".encode()
    meta = Meta(number, "GET /", "", 0.0, add=add or {})
    return Kept("things", "run", number, Frame(meta, text), Array(lambda: text))


def _read(wanted: Sequence[Wanted], *pages: Kept) -> Rows:
    found = batches(Reader(reading(wanted), (), frozenset()), slices(pages, [], []))
    return Rows.of(list(found))


def _last(wanted: Wanted, record: str) -> Any:
    """The value of a record behind many others on one page."""
    rows = _read([wanted], _page(*[GOOD] * PAGE, record, GOOD))
    assert PAGE + 2 == rows.frame.height + len(rows.rejects)
    assert all(reject.at == PAGE for reject in rows.rejects)
    return REFUSED if rows.rejects else rows.frame[wanted.name].to_list()[PAGE]


def _bytes(rows: Sequence[str]) -> list[bytes]:
    return [row.encode() for row in rows]


def _wanted(name: str) -> Wanted:
    return next(one for one in WANTED if one.name == name)


@pytest.mark.parametrize(
    ("column", "record", "value"),
    [
        ("id", '{"id": 5.5}', REFUSED),
        ("id", '{"id": "5.5"}', REFUSED),
        ("id", '{"id": 9223372036854775808}', REFUSED),
        ("id", '{"id": "-9223372036854775809"}', REFUSED),
        ("id", '{"id": -0}', 0),
        ("id", '{"id": [1]}', REFUSED),
        ("id", '{"id": {"a": 1}}', REFUSED),
        ("score", '{"score": 1e400}', REFUSED),
        ("score", '{"score": "NaN"}', REFUSED),
        ("score", '{"score": 1e-400}', 0.0),
        ("score", '{"score": 0.1234567890123456789}', 0.12345678901234568),
        ("open", '{"open": 1}', REFUSED),
        ("open", '{"open": "false"}', False),
        ("day", '{"day": "2026-02-30"}', REFUSED),
        ("at", '{"at": "2026-02-30T00:00:00Z"}', REFUSED),
        ("at", '{"at": "soon"}', REFUSED),
        ("seen", '{"seen": "soon"}', REFUSED),
        ("tags", '{"tags": "a"}', REFUSED),
        ("tags", '{"tags": 5}', REFUSED),
        ("tags", '{"tags": {"a": 1}}', REFUSED),
        ("tags", '{"tags": ["a"]}', ["a"]),
        ("tags", '{"tags": []}', []),
        ("tags", '{"tags": null}', None),
        ("first", '{"tags": "a"}', None),
        ("keys", '{"keys": {"status": "ok", "id": 7}}', None),
        ("keys", '{"keys": [{"status": "ok", "id": [7]}]}', REFUSED),
        ("name", '{"owner": "x"}', None),
        ("name", '{"owner": [{"name": "x"}]}', None),
        ("name", '{"owner": {"name": ["x"]}}', REFUSED),
        ("name", '{"owner": {"name": 12345678901234567890123}}', "12345678901234567890123"),
        ("name", f'{{"owner": {{"name": {"9" * 60}}}}}', "9" * 60),
        ("name", '{"owner": {"name": "a\\u0000b"}}', "a\0b"),
        ("name", '{"owner": {"name": "\\ud800"}}', "\ufffd"),
        ("name", '{"owner": {"name": ""}}', ""),
        ("name", '{"own\\u0065r": {"name": "x"}}', "x"),
        ("id", "null", REFUSED),
        ("id", "5", REFUSED),
        ("id", '["id"]', REFUSED),
        ("id", f'{{"id": 1, "deep": {"[" * 900}{"]" * 900}}}', 1),
    ],
    ids=lambda one: str(one)[:40],
)
def test_a_value_behind_many_others_is_as_it_was_sent_or_refused(column: str, record: str, value: Any) -> None:
    assert value == _last(_wanted(column), record)


@pytest.mark.parametrize(
    "record", ['{"id": NaN}', '{"x": -Infinity}', f'{{"x": {"[" * 5000}{"]" * 5000}}}', '{"id": 1']
)
def test_a_record_that_is_no_json_is_refused_alone(record: str) -> None:
    rows = [*[GOOD] * 30, record, GOOD]
    found = _read([_wanted("id")], Kept("things", "run", 0, Frame(Meta(0, "GET /", "", 0.0), b""), _bytes(rows)))
    assert [(30, "type")] == [(reject.at, reject.rule) for reject in found.rejects]
    assert [1] * 31 == found.frame["id"].to_list()


def test_a_field_that_first_comes_behind_thousands_of_records_is_read() -> None:
    late = Wanted("late", "late.key", "string")
    rows = _read([late], _page(*['{"id": 1}'] * 12_000), _page('{"late": {"key": "x"}}', number=1))
    assert [(12_000, "x")] == rows.frame.filter(rows.frame["late"].is_not_null()).select(AT, "late").rows()


def test_of_a_key_that_comes_twice_in_one_object_the_first_counts() -> None:
    twice = '{"id": 2, "owner": {"name": "y", "name": "x"}, "id": 1, "filler": "%s"}' % ("x" * 2_000)
    wanted = [_wanted("id"), _wanted("name")]
    for count in (1, 3, PAGE):
        rows = _read(wanted, _page(GOOD), _page(*[twice] * count, number=1), _page(GOOD, number=2))
        assert [1, *[2] * count, 1] == rows.frame["id"].to_list()
        assert ["x", *["y"] * count, "x"] == rows.frame["name"].to_list()


def test_of_a_key_that_comes_twice_in_a_record_of_megabytes_the_first_counts() -> None:
    twice = '{"id": 1, "filler": "%s", "id": 2}' % ("x" * 3_000_000)
    assert [1] == _read([_wanted("id")], _page(twice)).frame["id"].to_list()


def test_what_does_not_fit_is_named_with_its_field_and_value() -> None:
    [reject] = _read(WANTED, _page(*[GOOD] * PAGE, '{"id": 1, "tags": "a"}', GOOD)).rejects
    assert (PAGE, "tags", '"a"', '{"id": 1, "tags": "a"}') == (
        reject.at,
        reject.column,
        reject.value,
        reject.record,
    )


# --- whatever the records, and however they are cut into slices: as by jmespath.py one by one

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
TIMES = st.sampled_from(["2026-01-02", "2026-01-02T00:00:00Z", "2026-01-02T03:04:05.678+02:00", "2026-01-02 03:04:05"])
KEYS = st.sampled_from(["id", "owner", "name", "score", "open", "day", "at", "seen", "tags", "keys", "status"])
ANY = st.recursive(
    LEAVES | TIMES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner), max_leaves=6
)
OBJECTS = st.dictionaries(KEYS, ANY)
SPELLED = st.sampled_from([GOOD, "{}", '{"id":-0}', '{"score":-0.0}', '{"id":1e2}', '{"score":1e400}', '{"id":5.0}'])
RECORDS = st.lists(
    (OBJECTS | ANY).map(lambda one: msgspec.json.encode(one).decode()) | SPELLED, min_size=1, max_size=12
)


@given(records=RECORDS, wanted=st.lists(st.sampled_from(WANTED), min_size=1, unique=True), data=st.data())
def test_slices_of_any_size_hold_the_rows_of_their_records(
    records: list[str], wanted: list[Wanted], data: st.DataObject
) -> None:
    cuts = sorted({0, len(records), *data.draw(st.lists(st.integers(0, len(records)), max_size=3))})
    texts = [one.encode() for one in records]
    pieces = [Slice(0, texts[first:last], {}) for first, last in pairwise(cuts)]
    together = Reader(reading(wanted), (), frozenset()).read_all(pieces)
    alone = Rows.of([_by_jmespath(wanted, text, at) for at, text in enumerate(texts)])
    assert alone.frame.to_dicts() == together.frame.to_dicts()
    assert sorted({one.at for one in alone.rejects}) == sorted({one.at for one in together.rejects})


def _by_jmespath(wanted: list[Wanted], text: bytes, at: int) -> Rows:
    slow = type(reading(wanted))(wanted, {}, {}, {}, {column.name: "told so" for column in wanted})
    return Reader(slow, (), frozenset()).read(Slice(at, [text], {}))


# --- whatever records it is read with: a row is the one that its record gives alone

SENT = [
    Wanted("id", "id", "string"),
    Wanted("v", "v", "json"),
    Wanted("c", "v.c", "json"),
    Wanted("text", "v.c", "string"),
    Wanted("made", "{c: v.c, id: id}", "json"),
    Wanted("values", "v.list", "list"),
    Wanted("all", "v.*", "json"),
    Wanted(RAW, "@", "json"),
]
SPELLINGS = st.sampled_from(
    ["1.10", "12345678901234567890.5", "1e22", "-0.0", "-0", "9" * 30, '"\\u00e9"', "null", '{ "x" : 1.10}', "[ 1.0 ]"]
)
SAID = st.builds('{{"id":{}, "v": {{"c": {},"list":[{}, 1.10 ]}} }}'.format, SPELLINGS, SPELLINGS, SPELLINGS)
BAD = st.sampled_from(['{"id":{"x":1},"v":1}', "5", "null", '{"id":[1]}', '{"v":1e400}'])


def _row_of(rows: Rows, at: int) -> Any:
    found = rows.frame.filter(pl.col(AT) == at).drop(AT).rows() or [
        (one.column, one.value, one.record) for one in rows.rejects if one.at == at
    ]
    return repr(found)


@settings(max_examples=min(40, settings().max_examples))
@given(
    records=st.lists(SAID | BAD, min_size=1, max_size=6),
    wanted=st.lists(st.sampled_from(SENT), min_size=1, unique=True),
)
def test_a_record_is_read_among_others_as_alone(records: list[str], wanted: list[Wanted]) -> None:
    rows = _read(wanted, _page(*records))
    alone = [_row_of(_read(wanted, _page(one)), 0) for one in records]
    assert alone == [_row_of(rows, at) for at in range(len(records))]


def test_what_only_some_readers_can_read_is_kept_also_beside_a_record_that_is_no_row() -> None:
    for records in (['{"v":1e400}'], ['{"v":1e400}', "5"], ["5", '{"v":1e400}']):
        assert ["1e400"] == _read([SENT[1]], _page(*records)).frame["v"].to_list()


def test_json_beside_a_record_that_does_not_fit_is_kept_as_it_was_sent() -> None:
    sent = '{"c": 12345678901234567890.5,  "d":"\\u00e9"}'
    good = [_page(*[f'{{"id":"x","v":{sent}}}'] * 50, number=number) for number in range(2)]
    bad = _page(f'{{"id":"x","v":{sent}}}', '{"id":{"x":1},"v":1}', number=2)
    for pages in ([*good, bad], [bad, *good], [good[0], bad, good[1]]):
        assert [sent] * 101 == _read(SENT[:2], *pages).frame["v"].to_list()


def test_fields_that_are_called_as_ours_are_read() -> None:
    pages = [_page('{" at": "x", "id": "p"}'), _page('{" at": "y", "id": "q"}', number=1)]
    wanted = [Wanted("at", '" at"', "string"), Wanted("both", 'join(`-`, [" at", id])', "string")]
    assert [("x", "x-p"), ("y", "y-q")] == _read(wanted, *pages).frame.select("at", "both").rows()


@pytest.mark.parametrize("other", ["null", "5", '"x"', "true", "[]", '[{"id": 2}, {"id": 3}]'])
def test_of_an_array_polars_gives_as_many_rows_as_it_has_records_or_none(other: str) -> None:
    schema: dict[str, pl.DataType] = {"id": pl.String(), "tags": pl.List(pl.String())}
    objects = ['{"id": 1}', "{}", '{"tags": []}', '{"else": 1}']
    assert 4 == pl.read_json(f"[{', '.join(objects)}]".encode(), schema=schema).height
    for at in range(5):
        records = [*objects[:at], other, *objects[at:]]
        with pytest.raises(pl.exceptions.PolarsError):
            pl.read_json(f"[{', '.join(records)}]".encode(), schema=schema)
        rows = _read([_wanted("id")], _page(*records), _page('{"id": 9}', number=1))
        assert ([at], 9) == ([one.at for one in rows.rejects], rows.frame["id"].to_list()[-1])
        assert [one for one in range(6) if one != at] == rows.frame[AT].to_list()


@given(
    texts=st.lists(TIMES | st.sampled_from(["5", "1780000000.5", "x", "", None, "2026-01-02T03:04:60Z"]), min_size=1)
)
def test_a_text_is_read_the_same_whatever_stands_before_it(texts: list[str | None]) -> None:
    for kind, unit in (("datetime", None), ("datetime", "s"), ("date", None), ("float", None)):
        column = Wanted("v", "v", kind, unit)
        frame = pl.DataFrame({"v": pl.Series(texts, dtype=pl.String)})
        alone = [frame[at : at + 1].select(typed(column))["v"][0] for at in range(frame.height)]
        assert alone == frame.select(typed(column))["v"].to_list()
