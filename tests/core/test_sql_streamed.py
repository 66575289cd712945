"""Which queries are streamed: those that group rows, and cannot tell in which order these came."""

from __future__ import annotations

import polars as pl
import pytest

from engine.core.sql import syntax
from engine.core.sql.queries import Build, run

MANY = 30_000
ROWS = pl.LazyFrame({"n": range(MANY)}).select(
    n=pl.col("n"), team=pl.format("t{}", pl.col("n") % 7), big=pl.col("n") % 11 > 4, score=pl.col("n") / 3
)
STREAMED = [
    "SELECT team, count(*) AS c, min(n) AS a, max(n) AS z, sum(n) AS s FROM t GROUP BY team",
    "SELECT team, sum(CASE WHEN score > 100 THEN 1 ELSE 0 END) AS high FROM t GROUP BY team ORDER BY high DESC LIMIT 3",
    "SELECT team, count(DISTINCT n % 100) AS c FROM t WHERE big GROUP BY team HAVING count(*) > 10",
    "SELECT DISTINCT team, big FROM t",
    "SELECT a.team, count(*) AS c FROM t AS a JOIN t AS b ON a.n = b.n + 1 GROUP BY a.team",
    "WITH k AS (SELECT team, max(n) AS z FROM t GROUP BY team) SELECT count(*) AS c FROM t JOIN k ON t.n = k.z",
    "SELECT team, count(DISTINCT score) AS c, max(CAST(score AS VARCHAR)) AS z FROM t GROUP BY team, score > 5",
    "SELECT DISTINCT CAST(score AS VARCHAR) AS s FROM t",
    "SELECT team, count(*) AS c FROM t WHERE n < (SELECT sum(k.n) AS s FROM t AS k) GROUP BY team",
]
AS_THEY_COME = [
    "SELECT n, team FROM t",
    "SELECT team, avg(n) AS m FROM t GROUP BY team",
    "SELECT team, sum(score) AS s FROM t GROUP BY team",
    "SELECT team, count(*) AS c FROM t GROUP BY team HAVING sum(score) > 1",
    "SELECT DISTINCT score FROM t",
    "SELECT team, CAST(max(score) AS VARCHAR) AS z FROM t GROUP BY team",
    "SELECT team, count(*) AS c FROM t GROUP BY team HAVING CAST(min(score) AS VARCHAR) = '-0.0'",
    "SELECT CAST(score AS VARCHAR) AS s, count(*) AS c FROM t GROUP BY score",
    "SELECT count(*) AS c FROM t WHERE team IN (SELECT CAST(max(k.score) AS VARCHAR) AS s FROM t AS k)",
    "SELECT team, string_agg(team, ',' ORDER BY n % 3) AS s FROM t GROUP BY team",
    "SELECT team, array_agg(n ORDER BY n % 3) AS s FROM t GROUP BY team",
    "SELECT count(*) AS c FROM (SELECT team FROM t ORDER BY n % 3 LIMIT 5) AS k",
    "WITH k AS (SELECT team, n FROM t ORDER BY n % 3 LIMIT 5) SELECT team, count(*) AS c FROM k GROUP BY team",
    "WITH k AS (SELECT team, sum(score) AS s FROM t GROUP BY team) SELECT count(*) AS c FROM k WHERE s > 5",
    "SELECT n, sum(n) OVER (ORDER BY team ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM t",
    "SELECT team, count(*) AS c, max(count(*)) OVER (ORDER BY team) AS most FROM t GROUP BY team",
    "SELECT team, count(*) AS c FROM (SELECT team, row_number() OVER (ORDER BY big) AS r FROM t) AS k GROUP BY team",
]

RUNNING = "(ORDER BY team ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
GROUPS = "SELECT team, n % 500 AS k, count(*) AS c FROM t GROUP BY team, n % 500"
STEADY = [
    f"SELECT a.n, sum(a.n) OVER {RUNNING.replace('team', 'a.team')} AS s FROM t AS a JOIN t AS b ON a.n = b.n",
    f"SELECT k, sum(k) OVER {RUNNING} AS s FROM ({GROUPS}) AS g",
    f"WITH g AS ({GROUPS}) SELECT t.n, row_number() OVER (ORDER BY g.team) AS r FROM g JOIN t ON t.n = g.k",
    "WITH g AS (SELECT DISTINCT team, n % 500 AS k FROM t) SELECT k, lag(k) OVER (ORDER BY team) AS s FROM g",
    f"WITH g AS ({GROUPS}) SELECT team, array_agg(k ORDER BY c) AS s FROM g GROUP BY team",
    f"WITH g AS ({GROUPS} ORDER BY team LIMIT 9) SELECT sum(k) AS s FROM g",
    f"SELECT team, n % 500 AS k, sum(count(*)) OVER {RUNNING} AS s FROM t GROUP BY team, n % 500",
    "SELECT team, n % 500 AS k, row_number() OVER (ORDER BY count(*)) AS r FROM t GROUP BY 1, 2",
]
"""Their windows, lists and limits meet equal rows of joins and groups, which come in any order."""


def _build(text: str) -> tuple[pl.LazyFrame, set[str]]:
    build = Build({})
    rows = build.frame(syntax.read_query(text), {"t": ROWS}, ordered=True)
    return rows, build.seen


@pytest.mark.parametrize("text", STREAMED)
def test_what_groups_rows_in_whatever_order_is_streamed_to_the_same_rows(text: str) -> None:
    rows, seen = _build(text)
    assert {"groups"} == seen
    assert rows.collect(engine="in-memory").rows() == run(text, {"t": ROWS}, {}).rows()


@pytest.mark.parametrize("text", AS_THEY_COME)
def test_what_may_tell_the_order_of_rows_is_not_streamed(text: str) -> None:
    assert {"groups"} != _build(text)[1]


@pytest.mark.parametrize("text", STEADY)
def test_a_query_gives_the_same_rows_each_time(text: str) -> None:
    first = run(text, {"t": ROWS}, {}).rows()
    assert [first] * 3 == [run(text, {"t": ROWS}, {}).rows() for _ in range(3)]


def test_which_of_zero_and_its_negative_stands_for_both_is_the_same_each_time() -> None:
    rows = pl.LazyFrame({"n": range(200_000)}).select(f=pl.when(pl.col("n") % 3 == 0).then(-0.0).otherwise(0.0))
    for text in ("SELECT CAST(max(f) AS VARCHAR) AS s FROM t", "SELECT CAST(f AS VARCHAR) AS s FROM t GROUP BY f"):
        build = Build({}).frame(syntax.read_query(text), {"t": rows}, ordered=True)
        assert build.collect(engine="in-memory").rows() == run(text, {"t": rows}, {}).rows()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*) AS c FROM t WHERE n < (SELECT sum(k.m) AS s FROM k)",
        "SELECT q.s AS c FROM (SELECT sum(m) AS s FROM k) AS q",
    ],
)
def test_a_subquery_may_sum_a_column_of_its_own(text: str) -> None:
    assert [(3,)] == run(text, {"t": ROWS, "k": pl.LazyFrame({"m": [1, 2]})}, {}).rows()


def test_ranks_of_groups_stay_those_of_their_own_order() -> None:
    text = "SELECT n % 4 AS k, rank() OVER (ORDER BY count(*)) AS r FROM t GROUP BY n % 4"
    assert [(0, 1), (1, 1), (2, 1), (3, 1)] == run(text, {"t": ROWS}, {}).rows()
