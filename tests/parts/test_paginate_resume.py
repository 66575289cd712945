"""The law of going on: cut behind any page, a list has the same turns behind what was kept, and asks nothing twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import Json
from engine.core.kinds import Paginator
from engine.core.window import Window
from engine.core.wire import Page, Request
from engine.flow.kept import Kept
from engine.flow.pages import meta_of
from engine.flow.paging import Anew, Left, Paging, Turn
from engine.flow.raw import Meta
from tests.parts.paging import BASE, TOO_LARGE, Answers, answered, paginator, vendor_of
from tests.parts.test_paginate_law import LAWFUL, ROWS, SIZED, SIZES, sized

Turns = list[Turn | Left | Anew]
DAYS = Window(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 9, tzinfo=UTC))


@dataclass
class Recorder:
    """Asks a vendor, behind what was kept before; what is fetched ahead is fetched at once."""

    answers: Answers
    kept: list[tuple[Meta, Sequence[bytes]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    coming: dict[str, Page] = field(default_factory=dict)
    written: list[tuple[Meta, Sequence[bytes]]] = field(default_factory=list)

    def __call__(self, request: Request) -> Page:
        if self.kept:
            meta, rows = self.kept.pop(0)
            return Kept(request, 200, rows=rows, meta=meta)
        return self.coming.pop(request.fingerprint, None) or self._asked(request)

    def soon(self, requests: Iterator[Request]) -> None:
        for request in requests:
            self.coming[request.fingerprint] = self._asked(request)

    def _asked(self, request: Request) -> Page:
        self.asked.append(request.fingerprint)
        return self.answers(request)

    def met(self, page: Page, rule: int, say: str) -> None:
        self.written.append((Meta(0, "", "", 0.0, aside={"rule": rule, "say": say}), ()))

    def turns(self, part: Paginator, window: Window | None, most: int | None = None) -> Turns:
        """What the list gives, up to so many frames that are kept."""
        paging = Paging(part, lambda _: BASE, self, lambda page: page, window, responses=[TOO_LARGE], met=self.met)
        found: Turns = []
        for turn in paging.turns():
            assert not isinstance(turn, Anew)
            found.append(_plain(turn))
            if isinstance(turn, Turn):
                rows = turn.page.rows
                self.written.append((meta_of(turn, len(found), {}, 0.0), rows))
            if most is not None and len(self.written) >= most:
                break
        return found


def _plain(turn: Turn | Left) -> Turn | Left:
    """The turn without what only one way of getting a page knows."""
    return replace(turn, page=Page(turn.page.request, 200, rows=list(turn.page.rows)))


def _agrees(part: Paginator, answers: Answers, window: Window | None = None) -> None:
    whole = Recorder(answers)
    expected = whole.turns(part, window)
    for cut in range(len(whole.written) + 1):
        before = whole.written[:cut]
        behind = Recorder(answers, kept=list(before))
        assert expected == behind.turns(part, window)
        assert len(whole.asked) - cut == len(behind.asked)


@pytest.mark.parametrize("case", LAWFUL)
@settings(max_examples=10)
@given(rows=ROWS, size=SIZES)
def test_a_list_goes_on_behind_any_page(case: str, rows: list[Json], size: int) -> None:
    part = sized(case, size)
    _agrees(part, vendor_of(part, rows))


@pytest.mark.parametrize("case", SIZED)
@settings(max_examples=5)
@given(rows=ROWS, size=st.integers(4, 8), most=st.integers(1, 4))
def test_a_list_of_which_only_some_pages_are_read_goes_on_to_the_same_end(
    case: str, rows: list[Json], size: int, most: int
) -> None:
    part = sized(case, size, max_pages=most)
    _agrees(part, vendor_of(part, rows))


@pytest.mark.parametrize(
    "case", ["offset with a total", "page_number with a total", "cursor of the answer", "start_key inclusive"]
)
@settings(max_examples=5)
@given(rows=ROWS)
def test_pages_that_were_made_smaller_stay_small(case: str, rows: list[Json]) -> None:
    part = sized(case, 8)
    serve = vendor_of(part, rows)

    def answer(request: Request) -> Page:
        size: Any = getattr(part, "size", None)
        return Page(request, 413) if size.asked(request) > 4 else serve(request)

    _agrees(part, answer)


@settings(max_examples=20)
@given(ats=st.lists(st.integers(0, 8 * 24 - 1), max_size=30, unique=True))
def test_windows_that_were_cut_in_halves_go_on_in_them(ats: list[int]) -> None:
    part = paginator(
        "time_window",
        {
            "send": {"from": "query.since", "until": "query.until"},
            "step": "2d",
            "most": 3,
            "field": "at",
            "granularity": "1h",
        },
    )
    rows = [{"at": f"2026-06-{1 + at // 24:02d}T{at % 24:02d}:00:00Z", "id": at} for at in sorted(ats)]
    _agrees(part, lambda request: answered(request, part.serve(request, rows)), DAYS)
