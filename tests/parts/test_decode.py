"""What decoders make of bytes: through YAML cases, broken and hostile files, and the law of their two sides."""

from __future__ import annotations

import base64
import io
import json
import tracemalloc
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from engine.core.decoding import AnswerChain, Chain
from engine.core.errors import Json, Mistake
from engine.core.kinds import TooLarge, Undecodable
from tests.parts.tables import REGISTRY, cases, said

MOST = 10_000


def chain(written: Any) -> Chain:
    """The chain as a page names it."""
    found: Chain = TypeAdapter(AnswerChain).validate_python(written, context={"registry": REGISTRY})
    return found


def _bytes(case: Mapping[str, Any]) -> bytes:
    return base64.b64decode(case["base64"]) if "base64" in case else str(case["text"]).encode()


def _decoded(written: Any, data: bytes, *, charset: str | None = None, most: int = MOST) -> Json:
    return json.loads(chain(written).decode(data, most, charset))


@pytest.mark.parametrize(("word", "case"), cases("decode", asking="gives"))
def test_bytes_are_decoded_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    assert case["gives"] == _decoded(case["chain"], _bytes(case), charset=case.get("charset"))


@pytest.mark.parametrize(("word", "case"), cases("decode", asking="refused"))
def test_what_is_broken_is_refused_as_the_table_says(word: str, case: dict[str, Any]) -> None:
    with pytest.raises(Undecodable) as raised:
        _decoded(case["chain"], _bytes(case), charset=case.get("charset"), most=case.get("most", MOST))
    assert str(raised.value).startswith(case["refused"])


@pytest.mark.parametrize(("word", "case"), cases("decode", asking="mistake"))
def test_a_mistake_is_named(word: str, case: dict[str, Any]) -> None:
    with pytest.raises((Mistake, ValidationError)) as raised:
        chain(case["chain"])
    assert case["mistake"] in said(raised.value)


def test_a_csv_field_may_be_of_any_length() -> None:
    assert [{"a": "x" * 1_000_000}] == _decoded("csv", b"a\n" + b"x" * 1_000_000, most=2_000_000)


def test_xml_may_be_nested_to_its_limit_and_no_deeper() -> None:
    deepest = b"<a>" * 200 + b"</a>" * 200
    assert '{"a":' * 200 + "null" + "}" * 200 == json.dumps(_decoded("xml", deepest), separators=(",", ":"))
    with pytest.raises(Undecodable, match="is nested more than 200 deep"):
        _decoded("xml", b"<a>" + deepest + b"</a>")


# --- archives


def _zip(*files: tuple[str, bytes], way: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", way) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def test_the_lists_in_the_files_of_an_archive_are_joined_in_their_order() -> None:
    archive = _zip(("b.csv", b"n\n1\n2\n"), ("a.csv", b"n\n"), ("c.csv", b"m\n3\n"))
    assert [{"n": "1"}, {"n": "2"}, {"m": "3"}] == _decoded("zip+csv", archive)


def test_a_file_of_an_archive_that_holds_no_list_is_one_element_also_alone() -> None:
    assert [{"data": [1]}] == _decoded("zip+json", _zip(("a.json", b'{"data": [1]}\n')))


def test_only_the_files_that_fit_are_read_and_never_what_a_mac_puts_beside_them() -> None:
    archive = _zip(
        ("in/", b""), ("in/a.csv", b"n\n1\n"), ("__MACOSX/in/._a.csv", b"\0\1"), ("readme.txt", b"hi"), ("B.CSV", b"x")
    )
    assert [{"n": "1"}] == _decoded([{"zip": {"files": "*.csv"}}, "csv"], archive)


def test_names_that_lead_out_of_an_archive_lead_nowhere() -> None:
    assert [1, 2] == _decoded("zip+jsonl", _zip(("../../etc/passwd", b"1"), ("/abs\\..\\x", b"2")))


def test_an_archive_without_a_file_that_fits_says_what_it_holds() -> None:
    with pytest.raises(Undecodable, match=r'holds no file "\*\.csv"; it holds a\.txt, b\.txt'):
        _decoded([{"zip": {"files": "*.csv"}}, "csv"], _zip(("a.txt", b""), ("b.txt", b"")))


def test_the_file_of_an_archive_that_is_broken_is_told_by_its_number() -> None:
    with pytest.raises(Undecodable, match="holds a file, number 2, that has 2 instead of 1 fields in row 2"):
        _decoded("zip+csv", _zip(("a", b"n\n1\n"), ("b", b"n\n1,2\n")))


def test_an_archive_that_was_cut_off_is_refused() -> None:
    with pytest.raises(Undecodable, match="is no zip, or not whole"):
        _decoded("zip+json", _zip(("a", b"[1]"))[:-30])


def test_a_file_of_an_archive_with_other_bytes_than_its_checksum_says_is_refused() -> None:
    stored = _zip(("a", b"[1]"), way=zipfile.ZIP_STORED).replace(b"[1]", b"[2]")
    with pytest.raises(Undecodable, match="is no zip, or not whole"):
        _decoded("zip+json", stored)


def test_a_file_with_a_password_is_refused_by_name() -> None:
    archive = bytearray(_zip(("a.json", b"[1]")))
    archive[6] |= 1  # the flag in the local header
    archive[archive.index(b"PK\1\2") + 8] |= 1  # and in the directory
    with pytest.raises(Undecodable, match=r"holds a\.json, which needs a password"):
        _decoded("zip+json", bytes(archive))


def test_a_long_csv_takes_no_more_than_a_few_times_its_length() -> None:
    row = b"%09d,some name here,someone@example.com,2026-01-01T00:00:00Z,12.5,a comment of some words\r\n"
    data = b"id,name,email,created,score,comment\r\n" + b"".join(row % number for number in range(20_000))
    tracemalloc.start()
    chain("csv").decode(data, 10**9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(data)


def test_a_way_of_packing_that_takes_any_memory_is_refused() -> None:
    with pytest.raises(Undecodable, match="is packed in a way that is not read"):
        _decoded("zip+json", _zip(("a", b"[1]"), way=zipfile.ZIP_LZMA))


@pytest.mark.parametrize(
    ("written", "archive"),
    [
        ("zip+json", _zip(("a", b" " * 20_000))),
        ("zip+json", _zip(*((str(number), b" " * 4_000) for number in range(3)))),
        ("zip+zip+json", _zip(*((str(number), _zip(("b", b" " * 4_000))) for number in range(3)))),
    ],
    ids=["one file", "several", "archives in an archive"],
)
def test_a_bomb_of_an_archive_is_refused(written: str, archive: bytes) -> None:
    with pytest.raises(TooLarge, match="unpacks to more than 10,000 bytes"):
        _decoded(written, archive)


def test_an_archive_of_too_many_files_is_refused() -> None:
    with pytest.raises(Undecodable, match="holds 10,001 files; more than 10,000 are not read"):
        _decoded("zip+json", _zip(*((str(number), b"") for number in range(10_001)), way=zipfile.ZIP_STORED))


@given(st.binary(max_size=60), st.sampled_from(["csv", "gzip+json", "json", "jsonl", "xml", "zip+json"]))
def test_bytes_of_any_kind_are_decoded_or_refused(data: bytes, written: str) -> None:
    with suppress(Undecodable):
        json.loads(chain(written).decode(data, MOST))


@given(st.data())
def test_a_damaged_archive_is_decoded_or_refused(data: st.DataObject) -> None:
    archive = bytearray(_zip(("a.json", b"[1, 2, 3]"), ("b.json", b"[4]")))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Undecodable):
        json.loads(chain("zip+json").decode(bytes(archive), MOST))


# --- the law: what the vendor's side encodes is decoded to the same

LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff")
TEXTS = st.text(LETTERS, max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(TEXTS, min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.lists(st.fixed_dictionaries(dict.fromkeys(names, TEXTS)), max_size=4)
)
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=";"), min_size=1, max_size=5)
NAMED = st.lists(st.fixed_dictionaries({"id": PLAIN, "name": PLAIN}), max_size=4)
XML_LETTERS = st.characters(exclude_categories=["Cs"], min_codepoint=32, exclude_characters="\ufffe\uffff\ufeff")
XML_TEXTS = st.text(XML_LETTERS | st.sampled_from("\t\n\r"), min_size=1, max_size=6)
NAMES = st.sampled_from(["a", "b", "c:d", "e-f"])


def _element(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """An object with attributes and elements; several of a name are a list of two or more."""
    fields = st.dictionaries(NAMES, inner | st.lists(inner, min_size=2, max_size=3), max_size=3)
    attributes = st.dictionaries(NAMES.map("@{}".format), st.text(XML_LETTERS, max_size=4), max_size=2)
    return st.builds(lambda one, other: {**one, **other}, attributes, fields).filter(bool)


ELEMENTS = st.recursive(st.none() | XML_TEXTS, _element, max_leaves=8)
LISTS = {"xml": {"lists": ["b"]}}
LAWFUL: Mapping[str, tuple[Any, st.SearchStrategy[Json]]] = {
    "json": ("json", VALUES),
    "json in UTF-16": ({"json": {"charset": "utf-16"}}, VALUES),
    "jsonl": ("jsonl", st.lists(VALUES, max_size=4)),
    "csv": ("csv", ROWS),
    "csv with other letters": ({"csv": {"separator": ";", "quote": "'", "charset": "utf-16", "skip_rows": 2}}, ROWS),
    "csv without quotes": ({"csv": {"separator": ";", "quote": None}}, NAMED),
    "csv with names of the page": ({"csv": {"header": ["id", "name"], "charset": "latin-1"}}, NAMED),
    "xml": ("xml", st.dictionaries(NAMES, ELEMENTS, min_size=1, max_size=1)),
    "xml with lists": (LISTS, st.lists(PLAIN, min_size=1, max_size=3).map(lambda found: {"a": {"b": found}})),
    "gzip+json": ("gzip+json", VALUES),
    "base64+gzip+csv": ("base64+gzip+csv", ROWS),
    "zip+jsonl": ("zip+jsonl", st.lists(VALUES, max_size=4)),
    "zip of some files": ([{"zip": {"files": "out-[0-9]/*-?.csv"}}, "csv"], ROWS),
}


@pytest.mark.parametrize("case", LAWFUL)
@given(st.data())
def test_what_is_encoded_is_decoded_to_the_same(case: str, data: st.DataObject) -> None:
    written, values = LAWFUL[case]
    value, link = data.draw(values), chain(written)
    assert value == json.loads(link.decode(link.encode(json.dumps(value).encode()), 10**6))


@pytest.mark.parametrize("case", LAWFUL)
def test_a_chain_is_read_back_as_it_is_written(case: str) -> None:
    written = chain(LAWFUL[case][0])
    assert written == Chain.read(json.loads(json.dumps(written.written)), REGISTRY)
