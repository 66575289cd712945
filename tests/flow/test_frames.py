"""Kept pages as typed rows: every record is a row or a reject with its reason, whichever way it was read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.flow.batches import BATCH_ROWS, batches
from engine.flow.columns import Wanted, reading
from engine.flow.frames import AT, Reader, Rows
from engine.flow.raw import Frame, Meta
from engine.flow.slices import PIECE_BYTES, SLICE_BYTES, SLICE_ROWS, Array, Kept, Slice, Span, slices, span_of
from tests.flow.reading import REFUSED, read, values

ID = Wanted("id", "id", "integer")
NAME = Wanted("name", "name", "string")
TAGS = Wanted("tags", "tags", "list")
SLOW = Wanted("upper", "to_string(id)", "string")


def _rejects(rows: Rows) -> list[tuple[int, str | None, str | None]]:
    return [(reject.at, reject.column, reject.value) for reject in rows.rejects]


def test_a_key_that_appears_late_is_read() -> None:
    rows = read([ID, NAME], *({"id": at} for at in range(500)), {"id": 500, "name": "late"})
    assert [None, "late"] == rows.frame["name"].to_list()[-2:]


def test_a_bad_record_leaves_the_others_as_they_were() -> None:
    records = [{"id": at, "name": str(at)} for at in range(300)]
    records[7]["name"], records[222]["id"] = {"first": "x"}, 2.5
    rows = read([ID, NAME], *records)
    assert [at for at in range(300) if at not in (7, 222)] == rows.frame["id"].to_list()
    assert [(7, "name", '{"first":"x"}'), (222, "id", "2.5")] == _rejects(rows)


def test_a_reject_holds_the_record_as_it_was_sent() -> None:
    [reject] = read([ID], '{"id":  1.5 , "x":"\\u00fc"}').rejects
    assert '{"id":  1.5 , "x":"\\u00fc"}' == reject.record


def test_a_reject_that_is_no_utf8_shows_its_bytes() -> None:
    row = b'{"id": 1, "name": "\xf6"}'
    reader = Reader(reading([ID, NAME]), (), frozenset())
    [reject] = reader.read(Slice(0, [row], {})).rejects
    assert r'{"id": 1, "name": "\xf6"}' == reject.record


def test_every_value_of_a_record_that_does_not_fit_is_told() -> None:
    wanted = [ID, Wanted("open", "open", "boolean")]
    assert [(0, "id", "x"), (0, "open", "maybe")] == _rejects(read(wanted, {"id": "x", "open": "maybe"}))


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    rows = read([NAME], '{"name": "a\\ud800b"}', '{"name": "\\ud83d\\ude00"}', '{"name": "\\\\ud800"}')
    assert ["a\ufffdb", "\U0001f600", "\\ud800"] == rows.frame["name"].to_list()


def test_a_lone_surrogate_in_a_list_and_in_json_is_replaced() -> None:
    rows = read([TAGS, Wanted("raw", "tags", "json")], '{"tags": ["\\udfff"]}')
    assert [(["\ufffd"], '["\\ufffd"]')] == rows.frame.select("tags", "raw").rows()


@pytest.mark.parametrize(
    "column", [NAME, Wanted("name", "[name] | [0]", "string"), Wanted("name", "max_by(l,&k).k", "string")]
)
@pytest.mark.parametrize("near", ['{"id": 1}', '{"id": 1, "name": {"odd": 1}}', '{"id": "x", "l": 5}'])
def test_of_a_key_that_comes_twice_the_first_value_counts_whatever_stands_near(column: Wanted, near: str) -> None:
    twice = '{"id": 0, "name": "first", "l": [{"k": "first", "k": "last"}], "name": "last"}'
    assert "first" == read([ID, column], twice, near).frame["name"][0]


def test_a_record_that_is_no_object_is_its_own_value() -> None:
    assert ["a", "1", None, REFUSED] == values(Wanted("v", "@", "string"), '"a"', "1", "null", "[1]")


@pytest.mark.parametrize("record", ['"a"', "5", "null", "[1]", "true"])
def test_a_record_that_is_no_object_is_refused(record: str) -> None:
    assert [REFUSED, 1] == values(ID, record, {"id": 1})


def test_texts_that_mean_null_are_null_before_they_are_typed() -> None:
    assert [None, None, 3, REFUSED] == values(
        ID, {"id": ""}, {"id": -1}, {"id": 3}, {"id": "n/a"}, null_values=["", "-1"]
    )


def test_texts_that_mean_null_are_meant_as_a_whole() -> None:
    assert ["-10", "--1", None] == values(NAME, {"name": "-10"}, {"name": "--1"}, {"name": "-1"}, null_values=["-1"])


def test_an_added_field_goes_before_one_of_the_record() -> None:
    api = Wanted("api", "api", "string")
    found = values(api, {"api": "theirs"}, {}, {"api": {"a": 1}}, added={"api": ["x", "y", None]})
    assert ["x", "y", None] == found


def test_added_fields_are_typed_as_those_of_records() -> None:
    assert [5, REFUSED] == values(Wanted("n", "n", "integer"), {}, {}, added={"n": [5, "five"]})


def test_added_fields_stand_beside_others_when_records_are_read_one_by_one() -> None:
    wanted = [ID, Wanted("both", "join('-', [api, to_string(id)])", "string")]
    rows = read(wanted, {"id": 1}, {"id": 2}, added={"api": ["x", "y"]})
    assert [(1, "x-1"), (2, "y-2")] == rows.frame.select("id", "both").rows()


def test_an_added_list_is_read_as_a_list() -> None:
    assert [["a"], ["b", "c"]] == values(TAGS, {}, {}, added={"tags": [["a"], ["b", "c"]]})


def test_only_added_columns_are_read_of_records_without_fields() -> None:
    assert ["x", "y"] == values(Wanted("api", "api", "string"), {}, {"other": 1}, added={"api": ["x", "y"]})


def test_two_columns_may_read_one_field_in_two_ways() -> None:
    rows = read([Wanted("first", "tags[0]", "string"), TAGS], {"tags": ["a", "b"]}, {"tags": None})
    assert [("a", ["a", "b"]), (None, None)] == rows.frame.select("first", "tags").rows()


def test_a_conflict_of_shapes_is_read_one_by_one() -> None:
    wanted = [Wanted("owner", "owner", "string"), Wanted("email", "owner.email", "string")]
    rows = read(wanted, {"owner": "x"}, {"owner": {"email": "e"}})
    assert [("x", None)] == rows.frame.select("owner", "email").rows()
    assert [(1, "owner", '{"email":"e"}')] == _rejects(rows)


def test_an_expression_that_meets_the_wrong_kind_is_a_reject() -> None:
    rows = read([Wanted("n", "length(tags)", "integer")], {"tags": ["a"]}, {"tags": 5}, {"tags": []})
    assert [1, 0] == rows.frame["n"].to_list()
    assert [1] == [reject.at for reject in rows.rejects]


def test_a_number_with_many_digits_is_kept_as_text() -> None:
    assert ["12345678901234567890123"] == values(NAME, '{"name": "12345678901234567890123"}')


# --- both ways of reading agree

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
SHAPES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner), max_leaves=6
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "tags", "id"]), SHAPES) | SHAPES, min_size=1, max_size=8)
MIXED = [
    Wanted("id", "id", "integer"),
    Wanted("a", "a.b", "string"),
    Wanted("f", "b", "float"),
    Wanted("first", "tags[0]", "string"),
    Wanted("whole", "tags", "list"),
    Wanted("kept", "tags[?a=='x'].b", "list"),
    Wanted("at", "a.c", "datetime"),
]


@given(records=RECORDS, wanted=st.lists(st.sampled_from(MIXED), min_size=1, unique=True))
def test_polars_and_jmespath_read_the_same_rows_and_refuse_the_same_records(
    records: list[Any], wanted: list[Wanted]
) -> None:
    texts = [msgspec.json.encode(record) for record in records]
    fast = Reader(reading(wanted), (), frozenset()).read(Slice(0, texts, {}))
    slow = _by_jmespath(wanted, texts)
    assert slow.frame.to_dicts() == fast.frame.to_dicts()
    assert sorted({one.at for one in slow.rejects}) == sorted({one.at for one in fast.rejects})
    assert set(range(len(records))) == {*fast.frame[AT].to_list(), *(one.at for one in fast.rejects)}


def _by_jmespath(wanted: list[Wanted], texts: list[bytes]) -> Rows:
    found = reading(wanted)
    slow = type(found)(wanted, {}, {}, {}, {column.name: "told so" for column in wanted})
    return Reader(slow, (), frozenset()).read(Slice(0, texts, {}))


# --- slices and batches


def _page(number: int, rows: int, add: dict[str, Any] | None = None) -> Kept:
    meta = Meta(number, f"GET /things?page={number}", "", 0.0, add=add or {})
    records = [json.dumps({"id": number * 10_000 + at}).encode() for at in range(rows)]
    return Kept("things", "run", number, Frame(meta, b""), records)


def _read(pages: list[Kept], spans: list[Span] | None = None, wanted: tuple[Wanted, ...] = (ID,)) -> list[Rows]:
    found = slices(pages, [] if spans is None else spans, [])
    return list(batches(Reader(reading(wanted), (), frozenset()), found))


def _array(number: int, rows: int, *, filler: int = 0) -> Kept:
    """A page whose records are one JSON array."""
    text = json.dumps([{"id": number * 10_000 + at, "filler": "x" * filler} for at in range(rows)]).encode()
    return Kept("things", "run", number, Frame(Meta(number, "GET /", "", 0.0), text), Array(lambda: text))


SIZES = [[3, 4], [SLICE_ROWS] * 2, [SLICE_ROWS * 3 + 1, 1], [0, 5, 0], [999, 2], [0], []]


@pytest.mark.parametrize("make", [_page, _array])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_every_record_is_read_once_and_in_order(sizes: list[int], make: Callable[[int, int], Kept]) -> None:
    pages = [make(number, rows) for number, rows in enumerate(sizes)]
    frames = [rows.frame for rows in _read(pages)]
    ids = [number * 10_000 + at for number, rows in enumerate(sizes) for at in range(rows)]
    assert ids == [one for frame in frames for one in frame["id"].to_list()]
    assert list(range(len(ids))) == [at for frame in frames for at in frame[AT].to_list()]


@pytest.mark.parametrize("filler", [0, 500, 3_000])
def test_pages_small_and_big_are_read_the_same(filler: int) -> None:
    spans: list[Span] = []
    [rows] = _read([_array(number, 1_000, filler=filler) for number in range(3)], spans)
    assert [number * 10_000 + at for number in range(3) for at in range(1_000)] == rows.frame["id"].to_list()
    assert [0, 1_000, 2_000] == [span.start for span in spans]


def test_small_pages_are_joined_and_big_ones_are_read_as_they_are() -> None:
    [piece] = slices([_array(0, 5), _array(1, 5), _array(2, 1_000, filler=500), _array(3, 5)], [], [])
    assert [10, 1_000, 5] == [len(one.rows) for one in piece.slices()]


def test_pages_are_read_together_until_they_hold_some_megabytes() -> None:
    pages = [_array(number, 10, filler=PIECE_BYTES // 40) for number in range(5)]
    assert [4, 1] == [len(piece.pages) for piece in slices(pages, [], [])]


def test_a_slice_is_parsed_in_parts_of_a_megabyte_but_never_of_less_than_a_record() -> None:
    big = b'{"id": "%s"}' % (b"x" * SLICE_BYTES)
    piece = Slice(0, [big, b"{}", b"{}", big, big], {})
    assert [(0, 1), (1, 2), (3, 1), (4, 1)] == [(part.start, len(part.rows)) for part in piece.parts()]


def test_each_record_finds_its_page() -> None:
    spans: list[Span] = []
    _read([_page(0, 3), _page(1, 0), _page(2, 1500), _page(3, 1)], spans)
    assert [0, 0, 2, 2, 3] == [span_of(spans, at).number for at in (0, 2, 3, 1502, 1503)]


def test_added_values_stand_beside_the_records_of_their_page() -> None:
    pages = [_page(0, 2, {"api": "x"}), _page(1, 1), _page(2, SLICE_ROWS, {"api": "z"})]
    [whole] = slices(pages, [], ["api"])
    [piece] = whole.slices()
    assert ["x", "x", None, "z"] == piece.added["api"][:4]
    assert len(piece.rows) == len(piece.added["api"])


def test_batches_keep_the_order_of_arrival() -> None:
    found = _read([_page(number, 7_000) for number in range(16)])
    assert list(range(16 * 7_000)) == [at for rows in found for at in rows.frame[AT].to_list()]
    assert all(rows.frame.height >= BATCH_ROWS for rows in found[:-1])


def test_the_rejects_of_all_slices_come_with_their_batch() -> None:
    pages = [_page(0, 1_500), Kept("things", "run", 1, Frame(Meta(1, "GET /", "", 0.0), b""), [b'{"id": "x"}'] * 2)]
    [rows] = _read(pages)
    assert [1_500, 1_501] == [reject.at for reject in rows.rejects]


def test_who_looks_at_records_sees_each_with_its_number() -> None:
    seen: list[tuple[int, bytes]] = []
    pieces = slices([_array(0, 3), _array(1, 1_000, filler=500), _array(2, 2)], [], [])
    look = lambda piece: seen.extend(enumerate(piece.rows, piece.start))  # noqa: E731  # shown once
    for rows in batches(Reader(reading([ID]), (), frozenset()), pieces, look):
        assert rows.frame["id"].to_list() == [json.loads(row)["id"] for _, row in seen]
    assert list(range(1_005)) == [at for at, _ in seen]
