"""The html page: what it shows, how charts sum, and that nothing a vendor writes becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter

from engine.core.kinds import About, Output
from engine.parts.outputs._html.axis import round_ticks, time_labels
from engine.parts.outputs._html.figures import bars, lines
from engine.parts.outputs._html.text import compact, number
from tests.parts.tables import REGISTRY, STARTED_AT

ABOUT = About("acme", "Acme API Security", "run-1", STARTED_AT, simulated=False)
EVIL = """"'><script>alert(1)</script><img src=x onerror=alert(1)></style></svg><a href=javascript:alert(1)>&lt;"""


class Parsed(HTMLParser):
    """A page as a browser takes it apart: elements with attributes, text by element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        self.texts.append((self.inside, data))

    def count(self, tag: str) -> int:
        return [name for name, _ in self.elements].count(tag)

    def attributes(self, name: str) -> list[str | None]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def text(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def _page(settings: Any, tables: Mapping[str, pl.DataFrame], folder: Path, about: About = ABOUT) -> str:
    part = TypeAdapter(Output).validate_python({"html": settings}, context={"registry": REGISTRY})
    part.write({name: rows.lazy() for name, rows in tables.items()}, folder / "page.html", about)
    return (folder / "page.html").read_text("utf-8")


def _table(rows: pl.DataFrame, folder: Path, about: About = ABOUT, **settings: Any) -> str:
    return _page({"tables": ["findings"], **settings}, {"findings": rows}, folder, about)


def _cells(page: str) -> list[str]:
    """The text of every cell below the head, tags taken out."""
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<t[dh][ >].*?</t[dh]>", body)]


@pytest.fixture
def hostile(tmp_path: Path) -> Parsed:
    """A page that has the worst of texts in every place where a text can stand."""
    rows = pl.DataFrame(
        {
            EVIL: [EVIL],
            "list": [[EVIL] * 9],
            "object": [{EVIL: EVIL}],
            "json": [f'"{EVIL}"'],
            "long": [EVIL * 9],
            "n": [1],
        }
    ).with_columns(at=pl.lit(STARTED_AT))
    charts = [
        {"number": {"table": "findings", "label": EVIL}},
        {"bar": {"table": "findings", "x": "list", "by": "long", "title": EVIL}},
        {"bar": {"table": "findings", "x": "long", "y": "n"}},
        {"donut": {"table": "findings", "x": "long", "title": EVIL}},
        {"line": {"table": "findings", "x": "at", "by": "long", "title": EVIL}},
    ]
    about = About(
        *(EVIL, EVIL, EVIL, STARTED_AT),
        simulated=True,
        notes=[EVIL],
        docs={"findings": {EVIL: EVIL, "n": EVIL}},
        meanings={"findings": EVIL},
        types={"findings": {"json": "json"}},
        files={"findings": EVIL},
    )
    return Parsed(_page({"title": EVIL, "tables": ["findings"], "charts": charts}, {"findings": rows}, tmp_path, about))


def test_hostile_text_makes_no_elements(hostile: Parsed) -> None:
    assert (1, 1, 0) == (hostile.count("script"), hostile.count("style"), hostile.count("img"))


def test_hostile_text_makes_no_handlers(hostile: Parsed) -> None:
    assert [] == [name for _, attributes in hostile.elements for name in attributes if name.startswith("on")]


def test_hostile_text_makes_no_links(hostile: Parsed) -> None:
    links = [attributes["href"] or "" for tag, attributes in hostile.elements if tag == "a"]
    assert ["%22%27%3E%3Cscript%3E"] == [link[:21] for link in links]


def test_hostile_text_is_shown_as_it_is(hostile: Parsed) -> None:
    assert EVIL in "".join(hostile.text("h1"))


def test_a_link_of_the_vendor_is_text(tmp_path: Path) -> None:
    page = Parsed(_table(pl.DataFrame({"url": ["javascript:alert(1)", "https://acme.example"]}), tmp_path))
    assert ["data:,", "#findings"] == page.attributes("href")


def test_a_full_file_cannot_carry_a_scheme(tmp_path: Path) -> None:
    about = replace(ABOUT, files={"findings": "javascript:alert(1)"})
    page = Parsed(_table(pl.DataFrame({"a": [1]}), tmp_path, about))
    assert "javascript%3Aalert%281%29" == page.attributes("href")[-1]


@pytest.mark.parametrize("kind", ["style", "script"])
def test_the_policy_names_the_one_style_and_script_by_hash(kind: str, tmp_path: Path) -> None:
    page = Parsed(_table(pl.DataFrame({"a": [1]}), tmp_path))
    digest = hashlib.sha256("".join(page.text(kind)).encode()).digest()
    assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}'" in str(page.attributes("content")[0])


def test_everything_else_is_forbidden(tmp_path: Path) -> None:
    page = Parsed(_table(pl.DataFrame({"a": [1]}), tmp_path))
    assert str(page.attributes("content")[0]).startswith("default-src 'none'; ")


def test_nothing_is_fetched_and_no_style_stands_outside_the_sheet(hostile: Parsed) -> None:
    assert ([], []) == (hostile.attributes("src"), hostile.attributes("style"))


def test_a_simulated_page_says_so_first(tmp_path: Path) -> None:
    page = Parsed(_table(pl.DataFrame({"a": [1]}), tmp_path, replace(ABOUT, simulated=True)))
    assert ["SIMULATED · Acme API Security", "SIMULATED"] == page.text("title") + page.text("strong")[:1]


def test_a_real_page_does_not_say_simulated(tmp_path: Path) -> None:
    assert "simulated" not in _table(pl.DataFrame({"a": [1]}), tmp_path).lower()


def test_notes_are_told(tmp_path: Path) -> None:
    about = replace(ABOUT, notes=["hub was skipped: apihub_base_url is not set"])
    page = Parsed(_table(pl.DataFrame({"a": [1]}), tmp_path, about))
    assert ["1 thing to know"] == page.text("h2")[:1]
    assert ["hub was skipped: apihub_base_url is not set"] == page.text("li")


def test_a_long_table_is_cut_and_says_so(tmp_path: Path) -> None:
    page = _table(
        pl.DataFrame({"a": range(12_345)}), tmp_path, replace(ABOUT, files={"findings": "../x/findings.parquet"})
    )
    assert 'first 1,000 of 12,345 rows · <a href="../x/findings.parquet">full file</a>' in page
    assert 1000 == len(_cells(page))


def test_the_cap_is_a_setting(tmp_path: Path) -> None:
    page = _page({"tables": ["findings"], "rows": 3}, {"findings": pl.DataFrame({"a": range(9)})}, tmp_path)
    assert ["0", "1", "2"] == _cells(page)


def test_a_short_table_is_whole(tmp_path: Path) -> None:
    assert '<p class="count">1 row</p>' in _table(pl.DataFrame({"a": [1]}), tmp_path)


def test_an_empty_table_and_chart_say_so_in_words(tmp_path: Path) -> None:
    rows = pl.DataFrame({"a": []}, schema={"a": pl.String})
    kinds = ("bar", "donut")
    page = Parsed(_table(rows, tmp_path, charts=[{kind: {"table": "findings", "x": "a"}} for kind in kinds]))
    assert ["No rows, so there is nothing to draw."] * 2 + ["No rows."] == [t for t in page.text("p") if "No rows" in t]


def test_an_empty_line_chart_says_so_in_words(tmp_path: Path) -> None:
    rows = pl.DataFrame({"a": []}, schema={"a": pl.Datetime("us", "UTC")})
    assert "nothing to draw" in _table(rows, tmp_path, charts=[{"line": {"table": "findings", "x": "a"}}])


def test_every_type_has_one_look(tmp_path: Path) -> None:
    row = {
        "app": "payments",
        "calls": 1234567,
        "rate": 0.12345,
        "app_id": 1234567,
        "open": True,
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "tags": ["x", "y"],
        "owner": {"name": "Ada"},
        "missing": None,
    }
    page = _table(pl.DataFrame([row]), tmp_path)
    shown = [
        "payments",
        "1,234,567",
        "0.123",
        "1234567",
        "yes",
        "2026-01-02 03:04",
        "xy",
        "{&quot;name&quot;: &quot;Ada&quot;}",
        "–",
    ]
    assert shown == _cells(page)


def test_more_elements_than_fit_are_counted(tmp_path: Path) -> None:
    assert ["abcdef+2"] == _cells(_table(pl.DataFrame({"tags": [list("abcdefgh")]}), tmp_path))


def test_a_megabyte_in_a_cell_stays_out_of_the_page(tmp_path: Path) -> None:
    [cell] = _cells(_table(pl.DataFrame({"body": ["x" * 1_000_000]}), tmp_path))
    assert "x" * 239 + "…" == cell


def test_words_of_severity_are_badges(tmp_path: Path) -> None:
    page = Parsed(_table(pl.DataFrame({"risk": ["SEVERE", "low", None, "NOT_APPLICABLE"]}), tmp_path))
    badges = [name for name in page.attributes("class") if name and name.startswith("badge")]
    assert ["badge k-critical", "badge k-low", "badge k-none"] == badges


def test_a_name_that_happens_to_be_such_a_word_is_no_badge(tmp_path: Path) -> None:
    assert 'class="badge' not in _table(pl.DataFrame({"name": ["active", "payments"]}), tmp_path)


def test_docs_of_columns_are_told_to_pointers_and_to_readers(tmp_path: Path) -> None:
    page = Parsed(
        _table(pl.DataFrame({"risk": ["x"]}), tmp_path, replace(ABOUT, docs={"findings": {"risk": "Their word"}}))
    )
    assert ("Their word", ["Their word"]) == (page.attributes("title")[-1], page.text("dd")[-1:])


def test_a_number_counts_rows_claims_and_sums(tmp_path: Path) -> None:
    rows = pl.DataFrame({"open": [True, False, None, True], "hits": [10_000_000, 5, None, 5_000_000]})
    values: list[dict[str, str]] = [{}, {"value": "open"}, {"value": "hits"}]
    charts = [{"number": {"table": "findings", "label": "n", **value}} for value in values]
    page = Parsed(_page({"charts": charts}, {"findings": rows}, tmp_path))
    assert ["4", "2", "15M"] == page.text("b")


def test_bars_are_the_largest_and_the_rest_as_one() -> None:
    rows = pl.LazyFrame({"x": [f"api-{n:02}" for n in range(20)], "y": range(20)})
    found = bars(rows, "x", "y", None, 3)
    assert (["api-19", "api-18", "api-17", "other (17)"], [19, 18, 17, 136]) == (found.labels, found.series[0].values)


def test_one_bar_too_many_is_drawn_and_not_called_other() -> None:
    assert ["a", "b", "c"] == bars(pl.LazyFrame({"x": ["a", "b", "c"]}), "x", None, None, 2).labels


def test_bars_of_severity_stand_in_its_order_and_the_missing_last() -> None:
    rows = pl.LazyFrame({"x": ["LOW", "LOW", "LOW", "MODERATE", None, None, "SEVERE"]})
    assert ["SEVERE", "MODERATE", "LOW", "(none)"] == bars(rows, "x", None, None, 12).labels


def test_bars_are_split_by_another_column() -> None:
    rows = pl.LazyFrame({"x": ["a", "a", "b"], "by": ["prod", "dev", "prod"], "y": [1.5, 2.0, 4.0]})
    found = bars(rows, "x", "y", "by", 12)
    assert (["b", "a"], {"prod": [4.0, 1.5], "dev": [0.0, 2.0]}) == (
        found.labels,
        {s.name: s.values for s in found.series},
    )


def test_bars_leave_out_what_is_no_finite_number() -> None:
    rows = pl.LazyFrame({"x": ["a", "a", "b", "c"], "y": [1.5, float("nan"), float("inf"), None]})
    assert [1.5, 0, 0] == bars(rows, "x", "y", None, 12).series[0].values


def test_bars_of_a_list_count_its_elements() -> None:
    found = bars(pl.LazyFrame({"x": [["a", "b"], ["a"]]}), "x", None, None, 12)
    assert (["a", "b"], [2, 1]) == (found.labels, found.series[0].values)


def test_a_line_counts_days_without_rows_as_zero() -> None:
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 1, 4)]
    found = lines(pl.LazyFrame({"x": days}), "x", None, None, 5)
    assert ("day", [2, 0, 0, 1]) == (found.step, found.series[0].values)


def test_a_line_of_a_number_has_no_zero_where_nothing_was_measured() -> None:
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 4)]
    found = lines(pl.LazyFrame({"x": days, "y": [5, 7]}), "x", "y", None, 5)
    assert [5, 7] == found.series[0].values


@pytest.mark.parametrize(("span_hours", "step"), [(1, "minute"), (48, "hour"), (24 * 30, "day"), (24 * 400, "week")])
def test_times_are_put_into_steps_that_can_be_seen(span_hours: int, step: str) -> None:
    start = datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)
    rows = pl.LazyFrame({"x": [start, start + timedelta(hours=span_hours)]})
    assert step == lines(rows, "x", None, None, 5).step


def test_axis_ticks_are_round() -> None:
    assert [0, 25, 50, 75, 100] == round_ticks(0, 97, 4)


def test_axis_ticks_reach_below_zero() -> None:
    assert [-5, 0, 5, 10] == round_ticks(-3, 9, 4)


@pytest.mark.parametrize(
    ("days", "labels"),
    [
        (0.5, ["15:00", "18:00", "21:00", "2 Jan"]),
        (6, ["3 Jan", "5 Jan", "7 Jan"]),
        (150, ["Feb 2026", "Mar 2026", "Apr 2026", "May 2026"]),
        (4000, ["2028", "2030", "2032", "2034", "2036"]),
    ],
)
def test_time_ticks_are_round(days: float, labels: list[str]) -> None:
    start = datetime(2026, 1, 1, 13, tzinfo=UTC).timestamp()
    assert labels == [text for _, text in time_labels(start, start + days * 86_400)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (0.25, "0.25"),
        (2.0, "2"),
        (1234.5678, "1,234.568"),
        (0.00012, "0.00012"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_are_told(value: float, text: str) -> None:
    assert text == number(value)


@pytest.mark.parametrize(("value", "text"), [(950, "950"), (1500, "1.5k"), (20_000_000, "20M"), (0.5, "0.5")])
def test_numbers_of_an_axis_are_short(value: float, text: str) -> None:
    assert text == compact(value)
