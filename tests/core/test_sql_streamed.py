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
]
AS_THEY_COME = [
    "SELECT n, team FROM t",
    "SELECT team, avg(n) AS m FROM t GROUP BY team",
    "SELECT team, sum(score) AS s FROM t GROUP BY team",
    "SELECT team, count(*) AS c FROM t GROUP BY team HAVING sum(score) > 1",
    "SELECT DISTINCT score FROM t",
    "SELECT team, string_agg(team, ',' ORDER BY n % 3) AS s FROM t GROUP BY team",
    "SELECT team, array_agg(n ORDER BY n % 3) AS s FROM t GROUP BY team",
    "SELECT count(*) AS c FROM (SELECT team FROM t ORDER BY n % 3 LIMIT 5) AS k",
    "WITH k AS (SELECT team, n FROM t ORDER BY n % 3 LIMIT 5) SELECT team, count(*) AS c FROM k GROUP BY team",
    "WITH k AS (SELECT team, sum(score) AS s FROM t GROUP BY team) SELECT count(*) AS c FROM k WHERE s > 5",
    "SELECT team, count(*) AS c FROM (SELECT team, row_number() OVER (ORDER BY big) AS r FROM t) AS k GROUP BY team",
]


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
