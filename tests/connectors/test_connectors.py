"""Ten of the hardest public connectors as pages: they lint, run against a simulated vendor, and ask as documented."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.app import Engine
from engine.author.simulate import Simulator
from engine.core.vendor import Stand
from engine.core.wire import Page, Request
from engine.flow.answer import verdict, with_records
from engine.flow.report import Result
from engine.spec.model import Pipeline
from engine.spec.yamlfile import read

HERE = Path(__file__).parent
PAGES = {path.stem: path for path in sorted(HERE.glob("*.yaml"))}
DOCUMENTED = read(HERE.parent / "cases" / "connectors.yaml").plain()
ANSWERED = read(HERE.parent / "cases" / "connector_answers.yaml").plain()
QUICK = ("okta", "stripe")
"""Those of which each test run collects; the others are slow."""
ABSENT = {"organizations.deleted_at", "issues.pull_url", "shipping.items"}
"""Columns whose rows are taken out where they have a value, and an empty element of XML."""


@dataclass
class Watched(Simulator):
    """The simulated vendor of a page, with every request that reached it."""

    seen: list[Request] = field(default_factory=list)

    @contextmanager
    def open(self, plan: Any, rows: Callable[[str], Iterable[Any]] = lambda table: ()) -> Iterator[Stand]:
        with super().open(plan, rows) as stand:
            answer = stand.door.answer  # type: ignore[attr-defined]  # the simulator's own

            def noted(request: Request) -> Page:
                self.seen.append(request)
                page: Page = answer(request)
                return page

            stand.door.answer = noted  # type: ignore[attr-defined]
            yield stand


@dataclass
class Ran:
    """What came of a page."""

    result: Result
    requests: list[Request]
    empty: set[str]
    """Columns without a value in any row, as table.column."""


@cache
def _page(tool: str) -> Pipeline:
    return Engine.from_config(env={}).page(PAGES[tool]).pipeline


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    """Runs a page once against its simulated vendor."""
    kept: dict[str, Ran] = {}

    def run(tool: str) -> Ran:
        if tool not in kept:
            storage = tmp_path_factory.mktemp(tool)
            engine = Engine.from_config(storage=storage, env={})
            vendor = Watched.of(engine, PAGES[tool])
            result = engine.run(PAGES[tool], vendor=vendor)
            kept[tool] = Ran(result, vendor.seen, set(_empty(storage / "processed_data" / tool)))
        return kept[tool]

    return run


def _collected(tool: str, *more: Any, id: str | None = None) -> Any:
    marks = () if tool in QUICK else pytest.mark.slow
    return pytest.param(tool, *more, id=id or tool, marks=marks)


COLLECTED = [_collected(tool) for tool in PAGES]


def _empty(folder: Path) -> Iterator[str]:
    for table in (one for one in folder.iterdir() if one.is_dir() and one.name != "versions"):
        rows = pl.concat([pl.read_parquet(part) for part in table.rglob("part-*.parquet")])
        yield from (f"{table.name}.{column}" for column in rows.columns if rows[column].null_count() == rows.height)


@pytest.mark.parametrize("tool", PAGES)
def test_a_page_lints_without_a_warning(tool: str) -> None:
    findings = [one for one in Engine.from_config(env={}).lint(PAGES[tool]) if one.level != "note"]
    assert [] == [str(one) for one in findings]


@pytest.mark.parametrize("tool", COLLECTED)
def test_a_page_is_collected_whole_from_its_simulated_vendor(tool: str, ran: Callable[[str], Ran]) -> None:
    result = ran(tool).result
    assert ("succeeded", 0, []) == (
        result.status,
        result.exit_code,
        [f"{one['context']} {one['message'][-160:]}" for one in result.errors],
    )


@pytest.mark.parametrize("tool", COLLECTED)
def test_every_endpoint_is_asked(tool: str, ran: Callable[[str], Ran]) -> None:
    collections = ran(tool).result.collections
    assert set(_page(tool).endpoints) == {one.endpoint for one in collections if one.pages and not one.skipped}


@pytest.mark.parametrize("tool", COLLECTED)
def test_every_table_has_rows(tool: str, ran: Callable[[str], Ran]) -> None:
    assert set(_page(tool).tables) == {made.name for made in ran(tool).result.tables if made.rows}


@pytest.mark.parametrize("tool", COLLECTED)
def test_every_column_has_a_value_somewhere(tool: str, ran: Callable[[str], Ran]) -> None:
    assert set() == ran(tool).empty - ABSENT


@pytest.mark.parametrize(
    ("tool", "case"),
    [_collected(tool, case, id=f"{tool}: {case['says']}") for tool, cases in DOCUMENTED.items() for case in cases],
)
def test_a_request_is_as_the_vendor_documents_it(tool: str, case: dict[str, Any], ran: Callable[[str], Ran]) -> None:
    method, _, url = case["request"].partition(" ")
    alike = [one for one in ran(tool).requests if one.method == method and re.fullmatch(url, one.url)]
    assert any(_meets(one, case) for one in alike), "\n".join(f"{one.full_url} {one.body}" for one in alike[:3])


def _meets(request: Request, case: Mapping[str, Any]) -> bool:
    query: dict[str, Any] = {}
    for name, value in request.query:
        query[name] = [*query.get(name, []), value]
    query = {name: values if len(values) > 1 else values[0] for name, values in query.items()}
    headers = {name.lower(): value for name, value in request.header}
    return (
        ("query" not in case or _fits(case["query"], query))
        and all(_fits(value, headers.get(name.lower())) for name, value in case.get("header", {}).items())
        and ("body" not in case or _fits(case["body"], request.body))
    )


def _fits(expected: Any, value: Any) -> bool:
    if isinstance(expected, dict):
        return (
            isinstance(value, dict) and set(expected) == set(value) and all(_fits(expected[k], value[k]) for k in value)
        )
    if isinstance(expected, list):
        return isinstance(value, list) and len(expected) == len(value) and all(map(_fits, expected, value))
    return (
        isinstance(value, str) and bool(re.fullmatch(expected, value))
        if isinstance(expected, str)
        else value == expected
    )


@pytest.mark.parametrize(
    "case", [pytest.param(one, id=f"{one['tool']}: {one['endpoint']}") for one in ANSWERED["records"]]
)
def test_a_documented_answer_has_these_records(case: dict[str, Any]) -> None:
    page = Page(Request("GET", "https://vendor.example"), 200, body=json.dumps(case["answer"]).encode())
    rows = with_records(_page(case["tool"]).endpoints[case["endpoint"]], page).rows
    assert case["records"] == [json.loads(row) for row in rows]


@pytest.mark.parametrize(
    "case", [pytest.param(one, id=f"{one['tool']}: {one['says']}") for one in ANSWERED["verdicts"]]
)
def test_a_documented_answer_means_this(case: dict[str, Any]) -> None:
    body = json.dumps(case["answer"]).encode()
    page = Page(Request("GET", "https://vendor.example"), case["status"], case.get("header", {}), body)
    verb = verdict(_page(case["tool"]).endpoints[case["endpoint"]].responses, page)
    assert case["verb"] == (re.sub(r"(?<!^)(?=[A-Z])", "_", type(verb).__name__).lower() if verb else None)
