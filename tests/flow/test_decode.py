"""Answers that are no JSON, over real HTTP: kept as they came, decoded again each time they are read."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import Any

import polars as pl
import pytest

from engine.core.errors import SpecError
from engine.core.wire import Coding
from engine.flow.report import Result
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

TABLES = {
    "users": {"from": "users", "key": "id", "columns": {"id": "id", "version": {"path": "version", "type": "string"}}}
}
ROWS = [{"id": "08", "version": "1.10"}, {"id": "09", "version": "2.0"}]
CSV = b"id,version\n08,1.10\n09,2.0\n"
JSONL = b'{"id": "08", "version": "1.10"}\n', b'{"id": "09", "version": "2.0"}\n'
XML = b"<users><user><id>08</id><version>1.10</version></user><user><id>09</id><version>2.0</version></user></users>"
LATIN = "id,version\n08,grün\n".encode("latin-1")


def _zip(*files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(files):
            archive.writestr(f"{number}.jsonl", content)
    return packed.getvalue()


def _sent(body: bytes, kind: str = "application/octet-stream") -> Answer:
    return Answer(200, body, {"Content-Type": kind})


def _run(desk: Desk, **endpoint: Any) -> Result:
    desk.time.now += 1
    return desk.engine().run(desk.page({"users": {"get": "/users", **endpoint}}, tables=TABLES))


def _table(desk: Desk) -> list[dict[str, Any]]:
    rows = desk.engine().table("acme", "users").collect()
    assert isinstance(rows, pl.DataFrame)
    return rows.to_dicts()


# --- what comes whole


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ({"decode": "csv"}, CSV),
        ({"decode": "gzip+csv"}, gzip.compress(CSV)),
        ({"decode": [{"zip": {"files": "*.jsonl"}}, "jsonl"]}, _zip(*JSONL)),
        ({"decode": "xml", "records": "users.user"}, XML),
    ],
    ids=["csv", "gzip+csv", "zip of jsonl", "xml"],
)
def test_what_is_decoded_becomes_a_table_and_is_kept_as_it_came(
    desk: Desk, vendor: Tiny, endpoint: dict[str, Any], body: bytes
) -> None:
    vendor.routes["/users"] = _sent(body)
    result = _run(desk, **endpoint)
    assert ("succeeded", ROWS, "*/*") == (result.status, _table(desk), vendor.log[0][0].headers["accept"])
    assert [body] == [frame.body for frame in desk.frames("users")]


def test_the_charset_is_that_of_content_type_also_when_the_page_is_read_again(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/users"] = _sent(LATIN, "text/csv; charset=ISO-8859-1")
    _run(desk, decode="csv")
    [frame] = desk.frames("users")
    assert Coding("csv", charset="ISO-8859-1") == frame.meta.coding
    assert [{"id": "08", "version": "grün"}] == _table(desk)


def test_kept_pages_give_the_same_table_again_without_the_vendor(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/users"] = _sent(gzip.compress(LATIN), "application/gzip; charset=latin-1")
    _run(desk, decode="gzip+csv")
    asked, before = len(vendor.log), _table(desk)
    desk.engine().process(desk.folder / "acme.yaml")
    assert (asked, before) == (len(vendor.log), _table(desk))


@pytest.mark.parametrize("mode", ["replace", "upsert", "append"])
def test_settings_that_were_wrong_can_be_mended_without_collecting_again(desk: Desk, vendor: Tiny, mode: str) -> None:
    vendor.routes["/users"] = _sent(b"id;version\n08;1.10\n")
    tables = {"users": {**TABLES["users"], "key": "id", "mode": mode}}
    desk.engine().run(desk.page({"users": {"get": "/users", "decode": "csv"}}, tables=tables))
    page = desk.page({"users": {"get": "/users", "decode": {"csv": {"separator": ";"}}}}, tables=tables)
    desk.engine().process(page)
    assert ([{"id": "08", "version": "1.10"}], 1) == (_table(desk), len(vendor.log))


def test_the_pages_of_a_list_are_each_decoded(desk: Desk, vendor: Tiny) -> None:
    def rows(asked: Asked) -> Answer:
        start = int(dict(asked.query)["offset"])
        return _sent(b"id\n" + b"".join(b"%d\n" % number for number in range(start, min(start + 2, 5))))

    vendor.routes["/users"] = rows
    paging = {"offset": {"send": "query.offset", "size": {"send": "query.limit", "value": 2}}}
    desk.collect({"users": {"get": "/users", "decode": "csv", "paginate": paging}})
    assert [b"id\n0\n1\n", b"id\n2\n3\n", b"id\n4\n"] == [frame.body for frame in desk.frames("users")]


def test_children_are_asked_for_by_what_was_decoded(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/users": _sent(gzip.compress(CSV)), "/users/08": {"n": 1}, "/users/09": {"n": 2}}
    one = {"for_each": {"user": "users"}, "get": "/users/${user.id}"}
    desk.collect({"users": {"get": "/users", "decode": "gzip+csv"}, "one": one})
    assert [{"n": 1}, {"n": 2}] == desk.rows("one")


def test_what_must_not_be_kept_is_taken_out_of_what_was_decoded(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/users"] = _sent(CSV)
    desk.collect({"users": {"get": "/users", "decode": "csv", "redact": ["version"]}})
    [frame] = desk.frames("users")
    assert (b'[{"id":"08"},{"id":"09"}]', None) == (frame.body, frame.meta.coding)


def test_a_kept_page_is_shown_decoded_and_says_how_it_came(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/users"] = _sent(b"id;version\n08;1.10\n")
    _run(desk, decode={"csv": {"separator": ";"}})
    [shown] = desk.engine().raw("acme", "users")
    assert ([{"id": "08", "version": "1.10"}], [{"csv": {"separator": ";"}}]) == (shown["answer"], shown["came_as"])


def test_a_secret_inside_what_was_packed_is_not_kept(desk: Desk, vendor: Tiny) -> None:
    desk.env = {"KEY": "a-secret-of-length"}
    vendor.routes["/users"] = _sent(gzip.compress(b"id,version\n08,a-secret-of-length\n"))
    desk.collect(
        {"users": {"get": "/users", "decode": "gzip+csv"}},
        connection={"auth": {"bearer": {"token": "${secret.key}"}}},
        secrets={"key": {"env": "KEY"}},
    )
    assert [{"id": "08", "version": "***"}] == desk.rows("users")


# --- chosen by the answer

CHOSEN = {"by": 'headers."content-type"', "options": {"text/csv": "csv", "application/gzip": "gzip+csv"}}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (CSV, "Text/CSV; charset=utf-8"),
        (gzip.compress(CSV), "application/gzip"),
        (b'[{"id":"08","version":"1.10"},{"id":"09","version":"2.0"}]', "application/json"),
    ],
    ids=["csv", "gzip", "json, which no option names"],
)
def test_the_answer_chooses_how_it_is_decoded_also_when_it_is_read_again(
    desk: Desk, vendor: Tiny, body: bytes, kind: str
) -> None:
    vendor.routes["/users"] = _sent(body, kind)
    _run(desk, decode=CHOSEN)
    desk.engine().process(desk.folder / "acme.yaml")
    assert (ROWS, [body]) == (_table(desk), [frame.body for frame in desk.frames("users")])


def test_a_kept_page_whose_way_is_not_on_the_page_any_more_says_so(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/users"] = _sent(CSV, "text/csv")
    _run(desk, decode=CHOSEN)
    other = {"get": "/users", "decode": {**CHOSEN, "options": {"application/gzip": "gzip+csv"}}}
    page = desk.page({"users": other}, tables=TABLES)
    with pytest.raises(SpecError, match="nothing says how this kept page is decoded"):
        desk.engine().process(page)


# --- what is broken


@pytest.mark.parametrize(
    ("decode", "body", "says"),
    [
        ("gzip+csv", gzip.compress(CSV)[:-6], "an answer that is no gzip, or not whole (decode: gzip+csv)"),
        ("csv", b"id,version\n08\n", "an answer that has 1 instead of 2 fields in row 2 (decode: csv)"),
        ("csv", b"id\n\xff\n", "an answer that has a byte in line 2 (0xff at 3) that is no utf-8 (decode: csv)"),
        ("xml", b"<!DOCTYPE a><a/>", "an answer that has a DTD, which is not read"),
        ("zip+json", _zip(b"[1]", b"[2"), "an answer that holds a file, number 2, that holds no JSON"),
        ("csv", b" <!DOCTYPE html><html>Sign in, please</html>", "an answer that is HTML (decode: csv)"),
        ("csv", b"", "an answer that has no header (decode: csv)"),
    ],
    ids=["cut off", "a short row", "another charset", "a DTD", "one broken file of two", "HTML", "empty"],
)
def test_what_does_not_decode_is_asked_for_again_and_then_missing(
    desk: Desk, vendor: Tiny, decode: str, body: bytes, says: str
) -> None:
    vendor.routes |= {"/users": _sent(body), "/others": [1]}
    result = desk.collect({"users": {"get": "/users", "decode": decode}, "others": "/others"})
    [missing] = of(result, "users").missing
    assert says in missing
    assert (3, 5, [1]) == (result.exit_code, vendor.targets().count("/users"), desk.rows("others"))


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        ("csv", b"id\n08,1,2\n"),
        ("csv", b"<html>Sign in</html>"),
        ("xml", b"<!DOCTYPE a><a/>"),
        ("jsonl", b'{"id": 1}\n{"id'),
    ],
)
def test_the_mend_of_what_does_not_decode_names_decode_and_the_path(
    desk: Desk, vendor: Tiny, decode: str, body: bytes
) -> None:
    vendor.routes["/users"] = _sent(body)
    result = desk.collect({"users": {"get": "/users", "decode": decode}})
    assert ["correct decode, or the path"] == [one.fix[:27] for one in result.failures]


def test_what_decodes_at_the_second_try_is_whole(desk: Desk, vendor: Tiny) -> None:
    bodies = [gzip.compress(CSV)[:-6], gzip.compress(CSV)]
    vendor.routes["/users"] = lambda asked: _sent(bodies.pop(0))
    result = desk.collect({"users": {"get": "/users", "decode": "gzip+csv"}})
    assert ("succeeded", 2) == (result.status, result.records_collected)


def test_a_bomb_is_refused_at_once_with_the_word_that_allows_more(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/users"] = _sent(gzip.compress(b"id\n" + b"1\n" * 100_000))
    result = desk.collect({"users": {"get": "/users", "decode": "gzip+csv"}}, connection={"max_page": "100KB"})
    [missing] = of(result, "users").missing
    assert "the answer is larger than 100,000 bytes" in missing
    assert (3, 1) == (result.exit_code, len(vendor.log))


def test_a_broken_page_loses_none_of_those_before_it(desk: Desk, vendor: Tiny) -> None:
    def rows(asked: Asked) -> Answer:
        return _sent(b"id,n\n1,1\n2,2\n" if dict(asked.query)["page"] == "1" else b"id,n\n3\n")

    vendor.routes["/users"] = rows
    paging = {"page_number": {"send": "query.page"}}
    result = desk.collect({"users": {"get": "/users", "decode": "csv", "paginate": paging}})
    assert (3, [b"id,n\n1,1\n2,2\n"]) == (result.exit_code, [frame.body for frame in desk.frames("users")])
