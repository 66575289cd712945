"""SQL expressions over one row: what they give, and how each mistake is told."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from engine.core import sql
from engine.core.errors import Mistake

ROWS = pl.DataFrame(
    {
        "id": [1, 2, None],
        "name": ["Ann", "bo", None],
        "score": [1.5, 9.0, None],
        "passed": [True, False, None],
        "at": [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, 5, tzinfo=UTC), None],
        "day": [date(2026, 1, 1), date(2026, 2, 1), None],
        "tags": [["a", "b"], [], None],
        "url": ["HTTPS://Me@Api.Example.com.:443/v1?x", "api.example.com:8443/x", None],
        "path": ["/v1/Orders/{orderId}/:item/?q=1", "/", None],
    },
    schema_overrides={"at": pl.Datetime("us", "UTC")},
)
CONSTANTS: dict[str, object] = {
    "run.started_at": datetime(2026, 3, 1, tzinfo=UTC),
    "run.id": "r1",
    "param.limit": 2,
    "param.factor": 1.5,
    "param.on": True,
    "param.names": ["Ann", "it's"],
    "param.none": [],
    "param.unset": None,
}
RIGHT: list[tuple[list[object], str]] = [
    ([False, True, None], "id > 1"),
    ([True, False, False], "id = 1 AND name IS NOT NULL"),
    ([None, None, None], "NULL AND passed OR NULL"),
    ([True, False, None], "id NOT IN (2, 3)"),
    ([True, None, None], "id IN (1, NULL)"),
    ([True, False, None], "name LIKE 'A%'"),
    ([True, False, None], "matches(name, '^[A-Z]')"),
    (["low", "high", "low"], "CASE WHEN score > 7.0 THEN 'high' ELSE 'low' END"),
    ([0.5, 1.0, None], "id / 2"),
    ([2.25, 13.5, None], "score * param.factor"),
    ([1.5, 3.0, None], "id * 1.5"),
    ([-2, -3, None], "length(name) - 5"),
    ([2026, 2026, None], "extract(year FROM at)"),
    (["1", "2", None], "id::text"),
    ([None, None, None], "TRY_CAST(name AS INT)"),
    ([1.0, 2.0, None], "CAST(id AS DOUBLE)"),
    ([False, True, None], "at > '2026-01-15'"),
    ([False, True, None], "at > '2026-02-01T06:00:00+02:00'"),
    ([True, False, None], "at BETWEEN '2026-01-01' AND TIMESTAMP '2026-01-31 23:59:59'"),
    ([True, False, None], "at IN ('2026-01-01', '2027-01-01')"),
    ([True, False, None], "day = '2026-01-01'"),
    ([False, True, None], "at >= run.started_at - INTERVAL '30 days'"),
    ([59, 27, None], "date_diff('day', at, run.started_at)"),
    ([-59, -28, None], "date_diff('day', run.started_at, day)"),
    ([1416, 667, None], "date_diff('hour', at, '2026-03-01')"),
    ([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), None], "date_trunc('month', at)"),
    ([True, False, None], "date_trunc('day', at) = at"),
    (["api.example.com", "api.example.com:8443", None], "host(url)"),
    (["/v1/Orders/{}/{}", "/", None], "path_template(path)"),
    ([True, False, None], "host(url) = 'api.example.com'"),
    ([True, False, None], "list_contains(tags, 'a')"),
    ([2, 0, None], "list_length(tags)"),
    (["a-b", "", None], "list_join(tags, '-')"),
    (["a", None, None], "tags[1]"),
    ([True, False, None], "name IN (param.names)"),
    ([True, False, None], "name IN param.names"),
    ([True, True, True], "NOT name IN (param.none)"),
    ([True, True, None], "id <= param.limit AND param.on"),
    (["r1", "r1", "r1"], "coalesce(param.unset, run.id)"),
    (["Ann!", "bo!", None], "name || '!'"),
]
WRONG = [
    ("nam = 'x'", 0, 'no column is called "nam"; did you mean "name"?', ""),
    ('name = "Ann"', 7, 'no column is called "Ann"', "if it is meant as text, write 'Ann'"),
    ("id == 1", 3, "== is no word of SQL", "write one ="),
    ("id = NULL", 0, "a comparison with null is never true", "write id IS NULL"),
    ("id <> NULL", 0, "a comparison with null is never true", "write id IS NOT NULL"),
    ("at < run.strated_at", 5, '"run.strated_at" is not known; did you mean "run.started_at"?', ""),
    ("id = param.limt", 5, '"param.limt" is not known; did you mean "param.limit"?', ""),
    ("name = param.names", 7, '"param.names" is a list', "write column IN (param.names)"),
    ("x.id = 1", 0, '"x.id": a row has columns only, so there is no "x"', ""),
    ("lenght(name)", 0, 'no function is called "lenght"; did you mean "length"?', ""),
    ("now() > at", 0, 'no function is called "now"', "write run.started_at"),
    ("read_csv('x')", 0, 'no function is called "read_csv"', ""),
    ("id > (SELECT 1)", 13, "a subquery cannot stand in an expression", "and join that"),
    ("id IN (SELECT id FROM t)", 14, "a subquery cannot stand in an expression", "and join that"),
    ("SELECT 1", 0, "a SELECT cannot stand here", ""),
    ("sum(id) > 1", 0, "sum aggregates, and cannot stand in an expression", "make a table"),
    ("id > 1 AND row_number() OVER (ORDER BY id) = 1", 11, "OVER and FILTER cannot stand", "make a table"),
    ("unnest(tags)", 0, "unnest looks at other rows", "make a table"),
    ("passed AND name > 3", 11, "name > 3 does not fit: name is a string, 3 is an integer", "TRY_CAST"),
    ("id = '1'", 0, "id = '1' does not fit: id is an integer, '1' is a string", "TRY_CAST"),
    ("tags = 'a'", 0, "tags = 'a' does not fit: tags is a list, 'a' is a string", ""),
    ("at > 5", 0, "at > 5 does not fit: at is a datetime, 5 is an integer", ""),
    ("coalesce(id, 'x')", 0, "coalesce(id, 'x') does not fit", ""),
    ("CASE WHEN passed THEN 1 ELSE 'x' END", 10, "does not fit", ""),
    ("name IS TRUE", 0, "name IS TRUE does not fit: name is a string", ""),
    ("matches(name, path)", 0, "the pattern of matches is not a text in quotes", ""),
    ("NOT id", 4, "NOT id does not fit: id is an integer", ""),
    ("upper(id)", 0, "upper(id) does not fit: id is an integer", "upper(text)"),
    ("left(name)", 0, "left(name) does not fit", "left(text, n)"),
    ("sha256(id)", 0, "sha256 is not used so", "sha256(text)"),
    ("date_diff('dya', at, day)", 10, 'did you mean "day"?', ""),
    ("date_diff('day', name, at)", 0, "date_diff takes two times, but name is a string", "date_diff('day', from, to)"),
    ("at - run.started_at", 0, "this expression is a length of time", "date_diff('day', from, to)"),
    ("at > 'soon'", 5, "'soon' is not a time", "write '2026-01-31'"),
    ("name ~ 'x'", 5, 'this cannot be read as SQL at "~"', "write matches(text, 'pattern')"),
    ("matches(name, '(')", 0, "the pattern is not a regular expression", ""),
    ("CAST(name AS INT)", 5, "CAST stops the whole run", "write TRY_CAST(name AS INT)"),
    ("TRY_CAST(name AS DATE)", 9, "a string cannot become a time here", "give the column the type date or datetime"),
    ("id > 1 name", 7, "the expression ends before name", ""),
    ("id > 1; id > 2", 6, "write one expression, not 2", "leave the semicolon out"),
    ("name = 'x", 0, "a quote is opened and not closed", "'it''s'"),
    ("id +", 3, "this cannot be read as SQL", ""),
    ("id > {x}", 6, '" cannot stand in an expression', ""),
]


def values(text: str) -> list[object]:
    made, _ = sql.expression(text, ROWS.schema, CONSTANTS)
    return ROWS.lazy().with_columns(made.alias("it")).collect()["it"].to_list()


@pytest.mark.parametrize(("expected", "text"), RIGHT, ids=[text for _, text in RIGHT])
def test_an_expression_gives(expected: list[object], text: str) -> None:
    assert expected == values(text)


@pytest.mark.parametrize(("text", "offset", "message", "fix"), WRONG, ids=[one[0] for one in WRONG])
def test_a_mistake_is_told_with_its_place(text: str, offset: int, message: str, fix: str) -> None:
    with pytest.raises(Mistake) as caught:
        sql.expression(text, ROWS.schema, CONSTANTS)
    assert ("sql", True, True) == (caught.value.code, message in caught.value.message, fix in caught.value.fix)
    assert offset == caught.value.offset


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (pl.Int64(), "length(name)"),
        (pl.Int64(), "1"),
        (pl.Float64(), "1.5"),
        (pl.Float64(), "id * 100.0 / 3"),
        (pl.String(), "NULL"),
        (pl.Boolean(), "id = 1.0"),
        (pl.Datetime("us", "UTC"), "run.started_at"),
        (pl.Date(), "DATE '2026-01-01'"),
        (pl.String(), "sha256(name)"),
    ],
)
def test_a_type_is_one_of_our_columns_types(expected: pl.DataType, text: str) -> None:
    assert expected == sql.expression(text, ROWS.schema, CONSTANTS)[1]


def test_sha256_hashes_utf8_and_keeps_null() -> None:
    rows = pl.DataFrame({"_raw": ["é", "", None]})
    made, _ = sql.expression("sha256(_raw)", rows.schema, {})
    assert [
        "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        None,
    ] == rows.select(made)["_raw"].to_list()


def test_a_call_inside_a_call_is_computed_first() -> None:
    expected = ["d0c43d388506-Ann", None]
    assert expected == values("left(sha256(host(url)), 12) || '-' || name")[::2]


def test_raw_is_a_column_only_where_it_is_given() -> None:
    with pytest.raises(Mistake, match='no column is called "_raw"'):
        sql.expression("sha256(_raw)", ROWS.schema, {})


def test_a_page_is_checked_for_empty_text_only() -> None:
    with pytest.raises(Mistake, match="this is empty"):
        sql.Sql.read("  ")
    assert sql.Sql.read("nonsense (") == "nonsense ("


def test_columns_of_leaves_constants_out() -> None:
    assert {"a", "b c"} == sql.columns_of('a > run.started_at AND "b c" = param.x')
