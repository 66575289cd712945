"""Queries over the page's tables: what they give, what they refuse, and how it is told."""

import re
import subprocess
import sys
from datetime import UTC, datetime

import polars as pl
import pytest

from engine.core import sql
from engine.core.errors import Mistake

APIS = pl.LazyFrame({"id": [1, 2, 3], "name": ["a", "b", None], "url": ["http://X.io:80", "https://y.io/p", None]})
FINDINGS = pl.LazyFrame(
    {
        "id": [10, 11, 12, 13],
        "api_id": [1, 1, 2, 9],
        "team": ["red", "red", "blue", None],
        "score": [5.0, 7.5, 9.0, None],
        "at": [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 2, 3)],
        "tags": [["x", "y"], ["x"], [], None],
    },
    schema_overrides={"at": pl.Datetime("us", "UTC")},
)
TABLES = {"apis": APIS, "findings": FINDINGS, "42crunch.apis": APIS}
CONSTANTS: dict[str, object] = {"run.started_at": datetime(2026, 3, 1, tzinfo=UTC), "param.teams": ["red"]}
FEB = datetime(2026, 2, 1, tzinfo=UTC)

RIGHT: list[tuple[list[tuple[object, ...]], str]] = [
    ([("red", 2, 7.5), ("blue", 1, 9.0), (None, 1, None)],
     "SELECT team, count(*) AS n, max(score) AS worst FROM findings GROUP BY team ORDER BY n DESC, worst"),
    ([("blue", 28), ("red", 28)],
     "SELECT team, date_diff('day', max(at), run.started_at) AS age FROM findings WHERE team IS NOT NULL"
     " GROUP BY team ORDER BY team"),
    ([("a", 2), ("b", 1), (None, 0)],
     "SELECT a.name, count(f.id) AS n FROM apis AS a LEFT JOIN findings AS f ON f.api_id = a.id"
     " GROUP BY a.name ORDER BY n DESC"),
    ([(11, "a")],
     "SELECT f.id, name FROM findings f JOIN apis a ON a.id = f.api_id AND f.at > '2026-01-15' WHERE a.name < 'b'"),
    ([("x.io", 1), ("y.io", 1), (None, 1)],
     "SELECT host(url) AS h, count(*) AS n FROM apis GROUP BY host(url) ORDER BY h"),
    ([(2,)], "SELECT count(DISTINCT host(url)) AS n FROM apis"),
    ([(FEB, 2)],
     "SELECT date_trunc('month', at) AS month, count(*) AS n FROM findings GROUP BY 1 HAVING count(*) > 1"),
    ([("b", "y.io")],
     "WITH h AS (SELECT name, host(url) AS h FROM apis)"
     " SELECT name, h.h FROM h WHERE sha256(h.h) <> '' AND name > 'a'"),
    ([(2,)], "SELECT s.n FROM (SELECT count(*) AS n FROM findings WHERE team IN (param.teams)) AS s"),
    ([(10,), (11,)], "SELECT id FROM findings WHERE api_id IN (SELECT id FROM apis WHERE name = 'a') ORDER BY id"),
    ([(3,)], "SELECT id FROM apis a WHERE NOT EXISTS (SELECT 1 FROM findings f WHERE f.api_id = a.id)"),
    ([(12,)], "SELECT id FROM findings WHERE score = (SELECT max(score) FROM findings)"),
    ([("red", 50.0)],
     "SELECT team, 100.0 * count(*) / (SELECT count(*) FROM findings) AS share FROM findings"
     " WHERE team = 'red' GROUP BY team"),
    ([(1,), (2,), (3,), (10,)], "SELECT id FROM apis UNION ALL SELECT id FROM findings ORDER BY id LIMIT 4"),
    ([(11,), (12,), (13,)],
     "SELECT id FROM findings QUALIFY row_number() OVER (PARTITION BY team ORDER BY score DESC NULLS LAST) = 1"
     " ORDER BY id"),
    ([(10, None), (11, 31), (12, 0), (13, 28)],
     "SELECT id, date_diff('day', lag(at) OVER (ORDER BY at, id), at) AS gap FROM findings ORDER BY id"),
    ([("blue", 1), ("red", 1)],
     "SELECT team, count(*) FILTER (WHERE at > '2026-01-15') AS n FROM findings WHERE team <> '' GROUP BY team"
     " ORDER BY team"),
    ([("b,a",)], "SELECT string_agg(name, ',' ORDER BY name DESC) AS names FROM apis"),
    ([(10, "x"), (10, "y"), (11, "x"), (12, None), (13, None)],
     "SELECT id, unnest(tags) AS tag FROM findings ORDER BY id, tag"),
    ([(1, "a", 5.0), (1, "a", 7.5), (2, "b", 9.0)],
     "SELECT a.* EXCLUDE (url), score FROM apis a, findings f WHERE a.id = f.api_id ORDER BY score"),
    ([(1, 2)], "SELECT a.id, b.id AS next FROM apis a JOIN apis b ON a.id < b.id AND b.name IS NOT NULL"),
    ([("red", 12.5), ("blue", 9.0)],
     "SELECT team, sum(score) AS s FROM findings GROUP BY team HAVING sum(score) > 1 ORDER BY sum(score) DESC"),
    ([("api", 1), ("finding", 10)],
     "SELECT 'api' AS kind, min(id) AS id FROM apis UNION ALL SELECT 'finding', min(id) FROM findings ORDER BY kind"),
    ([(-4,), (-4,)], "SELECT length(name) - 5 AS n FROM \"42crunch\".apis WHERE name IS NOT NULL"),
]  # fmt: skip
WRONG = [
    ("SELECT * FROM read_csv('/etc/passwd')", 14, "a SELECT reads tables of the page", "endpoint"),
    ("SELECT * FROM read_parquet('x')", 14, "a SELECT reads tables of the page", "endpoint"),
    ("SELECT * FROM '/etc/passwd'", 14, 'no table is called "/etc/passwd"', ""),
    ("SELECT read_csv('x') AS x FROM apis", 7, 'no function is called "read_csv"', ""),
    ("CREATE TABLE x AS SELECT 1 AS a", 0, "one SELECT and nothing else", ""),
    ("DROP TABLE apis", 0, "one SELECT and nothing else", ""),
    ("INSERT INTO apis SELECT * FROM apis", 0, "one SELECT and nothing else", ""),
    ("SHOW TABLES", 0, "one SELECT and nothing else", ""),
    ("VALUES (1)", 0, "one SELECT and nothing else", ""),
    ("SELECT id FROM apis; SELECT 1", 19, "write one SELECT, not 2", "semicolon"),
    ("SELECT * INTO x FROM apis", 7, "INTO cannot be used", ""),
    ("SELECT a.id FROM apis a, LATERAL (SELECT 1) AS b", 41, "LATERAL cannot be used", "unnest(list)"),
    ("SELECT x FROM findings CROSS JOIN UNNEST(tags) AS z(x)", 41, "UNNEST cannot stand in FROM", "unnest(list)"),
    ("WITH RECURSIVE c AS (SELECT 1 AS x) SELECT * FROM c", 15, "RECURSIVE cannot be used", ""),
    ("SELECT * FROM finding", 14, 'no table is called "finding"; did you mean "findings"?', ""),
    ("SELECT idd FROM apis", 7, 'no column is called "idd"; did you mean "id"?', ""),
    ("SELECT a.idd FROM apis a", 7, 'no column is called "idd"', ""),
    ("SELECT b.id FROM apis a", 7, 'no table here is called "b"', ""),
    ("SELECT id FROM apis ORDER BY nme", 29, 'no column is called "nme"; did you mean "name"?', ""),
    ("SELECT id FROM apis a JOIN findings f ON a.id = f.api_id", 7, '"id" is a column of a and of f', "write a.id"),
    ('SELECT id FROM apis WHERE name = "a"', 33, 'no column is called "a"', "write 'a'"),
    ("SELECT id FROM apis WHERE name > 3", 26, "name > 3 does not fit: name is a string, 3 is an integer", ""),
    ("SELECT id FROM apis WHERE 1", 26, "1 is an integer, not a condition", ""),
    ("SELECT sum(name) AS x FROM apis", 7, "sum(name) does not fit: name is a string", ""),
    ("SELECT count(*) FROM apis", 7, "count(*) has no name", "write count(*) AS name"),
    ("SELECT id, id FROM apis", 11, 'two columns are called "id"', "AS"),
    ("SELECT * FROM apis a JOIN findings f ON a.id = f.api_id", 7, 'two columns are called "id"', "AS"),
    ("SELECT team, score FROM findings GROUP BY team", 13, '"score" is neither grouped nor aggregated', "max(score)"),
    ("SELECT name, host(url) AS h FROM apis GROUP BY name", 13, '"host(url)" is neither grouped', ""),
    ("SELECT id FROM apis WHERE count(*) > 1", 26, "count cannot stand in WHERE", "HAVING"),
    ("SELECT sum(max(id)) AS x FROM apis", 11, "one aggregate cannot stand in another", "WITH"),
    ("SELECT id FROM apis LIMIT 1", 7, "LIMIT without ORDER BY", "add ORDER BY"),
    ("SELECT rank() OVER () AS r FROM apis", 7, "rank needs an order", "ORDER BY"),
    ("SELECT string_agg(name, ',') AS x FROM apis", 7, "string_agg needs an order", "ORDER BY"),
    ("SELECT id FROM apis WHERE id = (SELECT id FROM apis)", 39, "may give many", "IN, max"),
    ("SELECT id FROM apis UNION SELECT name FROM apis", 33, '"id" is an integer in one SELECT and a string', ""),
    ("SELECT id FROM apis UNION SELECT id, name FROM apis", 33, "this SELECT has 2 columns", ""),
    ("SELECT sha256(a.name || f.team) AS x FROM apis a JOIN findings f ON a.id = f.api_id", 7, "of one table", "WITH"),
    ("SELECT host(max(url)) AS h FROM apis", 7, "not on an aggregate", "WITH"),
    ("SELECT max(at) - min(at) AS x FROM findings", 7, '"x" is a length of time', "date_diff"),
    ("SELECT id FROM (SELECT id FROM apis)", 23, "a subquery in FROM needs a name", "AS name"),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "text"), RIGHT, ids=[text for _, text in RIGHT])
def test_a_query_gives(expected: list[tuple[object, ...]], text: str) -> None:
    assert expected == sql.query(text, tables=TABLES, constants=CONSTANTS).rows()


@pytest.mark.parametrize(("text", "offset", "message", "fix"), WRONG, ids=[one[0] for one in WRONG])
def test_a_mistake_is_told_with_its_place(text: str, offset: int, message: str, fix: str) -> None:
    with pytest.raises(Mistake) as caught:
        sql.query(text, tables=TABLES, constants=CONSTANTS)
    found = caught.value
    assert ("sql", offset, True, True) == (found.code, found.offset, message in found.message, fix in found.fix)


def test_a_querys_types_are_those_of_our_columns() -> None:
    text = "SELECT team, count(*) AS n, avg(score) AS mean, max(at) AS last, 1 AS one FROM findings GROUP BY team"
    schemas = {"findings": FINDINGS.collect_schema()}
    assert {
        "team": pl.String(),
        "n": pl.Int64(),
        "mean": pl.Float64(),
        "last": pl.Datetime("us", "UTC"),
        "one": pl.Int64(),
    } == sql.query_type(text, schemas, CONSTANTS)


def test_float_sums_do_not_depend_on_the_order_of_the_rows() -> None:
    text = (
        "SELECT sum(x) AS s, avg(x) AS a, sum(x) FILTER (WHERE x > 1) AS f, sum(x) FILTER (WHERE x > 9e9) AS n FROM t"
    )
    rows = pl.DataFrame({"x": [1e16, 1.0, 3.0, -1e16, 0.1, 0.2, 0.3]})
    there = sql.query(text, tables={"t": rows.lazy()}, constants={}).rows()
    back = sql.query(text, tables={"t": rows.reverse().lazy()}, constants={}).rows()
    assert there == back


def test_a_float_sum_of_nothing_is_null() -> None:
    text = "SELECT sum(score) AS s, sum(score) FILTER (WHERE id > 99) AS f FROM findings WHERE team IS NULL"
    assert [(None, None)] == sql.query(text, tables=TABLES, constants=CONSTANTS).rows()


def test_tables_of_names_the_pages_tables_with_their_places() -> None:
    text = 'WITH c AS (SELECT id FROM apis) SELECT c.id FROM c JOIN "42crunch".apis AS x ON x.id = c.id'
    assert (sql.TableRef("apis", 26), sql.TableRef("42crunch.apis", 56)) == sql.tables_of(text)


CALLS = """
abs(n) array_agg(n ORDER BY n) array_contains(l, 'a') array_length(l) array_reverse(l) array_to_string(l, '-')
array_unique(l) avg(n) ceil(f) coalesce(n, 1) concat(s, 'x') concat_ws('-', s, 'x') corr(n, f) count(*)
date_diff('day', t, t) date_part('year', t) date_trunc('week', t) dense_rank() OVER (ORDER BY n) ends_with(s, 'x')
exp(f) first_value(n) OVER (PARTITION BY s ORDER BY n) floor(f) greatest(n, 1) host(s) ifnull(n, 1) initcap(s)
lag(n, 1) OVER (ORDER BY n) last_value(n) OVER (PARTITION BY s ORDER BY n) lead(n, 1) OVER (ORDER BY n) least(n, 1)
left(s, 1) length(s) list_contains(l, 'a') list_join(l, '-') list_length(l) ln(f) log10(f) lower(s) lpad(s, 3, 'x')
ltrim(s) matches(s, 'x') max(n) median(n) min(n) mod(n, 2) nullif(n, 1) octet_length(s) path_template(s) power(n, 2)
quantile_cont(f, 0.5) quantile_disc(f, 0.5) rank() OVER (ORDER BY n) regexp_like(s, 'x', 'i')
regexp_replace(s, 'x', 'y', 'g') replace(s, 'x', 'y') reverse(s) right(s, 1) round(f, 1)
row_number() OVER (ORDER BY n) rpad(s, 3, 'x') rtrim(s) sha256(s) sign(n) split_part(s, 'x', 1) sqrt(f)
starts_with(s, 'x') stddev(f) strftime(t, '%Y') string_agg(s, ',' ORDER BY s) string_to_array(s, 'x') substr(s, 1, 2)
sum(n) trim(s) unnest(l) upper(s) variance(f)
"""
EVERY = re.split(r"(?<=\))\s+(?!OVER)", CALLS.strip())
MIXED = pl.LazyFrame({"n": [1], "f": [1.5], "s": ["x"], "l": [["a"]], "t": [FEB]}).cast({"t": pl.Datetime("us", "UTC")})


def test_every_listed_function_has_a_call_below() -> None:
    assert set(sql.FUNCTIONS) == {call.split("(")[0] for call in EVERY}


def test_every_sentence_about_a_function_begins_with_its_call() -> None:
    assert [] == [name for name, says in sql.FUNCTIONS.items() if not says.startswith(f"{name}(")]


@pytest.mark.parametrize("call", EVERY)
def test_a_listed_function_can_be_called(call: str) -> None:
    assert 1 == sql.query(f"SELECT {call} AS it FROM mixed", tables={"mixed": MIXED}, constants={}).height


def test_reading_sql_on_a_page_imports_neither_sqlglot_nor_polars() -> None:
    program = (
        "import sys; from engine.core.sql import Sql, Query; Sql.read('a > 1'); Query.read('SELECT 1');"
        "print(sorted({'sqlglot', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
