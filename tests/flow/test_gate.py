"""How many requests go at once: fewer while the vendor pushes back, more when it has recovered."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from engine.core.errors import Stopped
from engine.flow.gate import GOOD_ANSWERS, Gate
from tests.flow.desk import Desk, Tiny
from tests.vendors.server import Answer, Asked


def _calm() -> None:
    """Nobody asks for a stop."""


def _enter(gate: Gate, many: int) -> list[int]:
    return [gate.enter(_calm) for _ in range(many)]


def _leave(gate: Gate, tickets: list[int], *, pushed_back: bool = False) -> None:
    for ticket in tickets:
        gate.leave(ticket, pushed_back=pushed_back)


def test_it_is_as_wide_as_the_page_says() -> None:
    assert 8 == Gate(8).width


def test_a_push_back_halves_it() -> None:
    gate = Gate(8)
    _leave(gate, _enter(gate, 8)[:1], pushed_back=True)
    assert 4 == gate.width


def test_what_was_under_way_together_counts_once() -> None:
    gate = Gate(8)
    _leave(gate, _enter(gate, 8), pushed_back=True)
    assert 4 == gate.width


def test_where_few_were_under_way_half_of_those_stay() -> None:
    gate = Gate(100)
    _leave(gate, _enter(gate, 4), pushed_back=True)
    assert 2 == gate.width


def test_one_request_always_goes() -> None:
    gate = Gate(2)
    for _ in range(5):
        _leave(gate, _enter(gate, 1), pushed_back=True)
    assert 1 == gate.width


def test_good_answers_widen_it_by_one() -> None:
    gate = Gate(8)
    _leave(gate, _enter(gate, 8), pushed_back=True)
    for _ in range(GOOD_ANSWERS):
        _leave(gate, _enter(gate, 1))
    assert 5 == gate.width


def test_a_push_back_begins_the_count_anew() -> None:
    gate = Gate(8)
    _leave(gate, _enter(gate, 8), pushed_back=True)
    for _ in range(GOOD_ANSWERS - 1):
        _leave(gate, _enter(gate, 1))
    late = gate.enter(_calm)
    _leave(gate, _enter(gate, 1), pushed_back=True)
    gate.leave(late, pushed_back=False)
    assert 1 == gate.width


def test_it_never_widens_beyond_what_the_page_says() -> None:
    gate = Gate(2)
    for _ in range(3 * GOOD_ANSWERS):
        _leave(gate, _enter(gate, 1))
    assert 2 == gate.width


def test_who_waits_goes_when_another_is_back() -> None:
    gate, through = Gate(1), threading.Event()
    ticket = gate.enter(_calm)

    def wait() -> None:
        gate.enter(_calm)
        through.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    before = through.is_set()
    gate.leave(ticket, pushed_back=False)
    waiting.join()
    assert (False, True) == (before, through.is_set())


def test_who_waits_hears_a_stop() -> None:
    def stop() -> None:
        raise Stopped("the run was stopped")

    gate = Gate(1)
    gate.enter(stop)
    with pytest.raises(Stopped):
        gate.enter(stop)


class Narrow(Tiny):
    """Refuses what is more than so many requests at once; holds each until others had the time to come."""

    def __init__(self, most: int) -> None:
        super().__init__({"/parents": [{"id": at} for at in range(200)]})
        self.most, self.refused, self.under_way = most, 0, 0
        self.guard = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/parents":
            return super().answer(asked)
        with self.guard:
            if self.under_way == self.most:
                self.refused += 1
                return Answer.json({"error": "too many"}, 429)
            self.under_way += 1
        threading.Event().wait(0.005)  # stands for the vendor's work
        with self.guard:
            self.under_way -= 1
        return Answer.json([{"path": asked.path}])


def test_a_vendor_that_takes_few_at_once_gives_all_and_refuses_little(desk: Desk) -> None:
    with Narrow(3) as vendor:
        desk.vendor = vendor
        endpoints: dict[str, Any] = {
            "parents": "/parents",
            "things": {"get": "/things/${p.id}", "for_each": {"p": "parents"}},
        }
        result = desk.collect(endpoints, connection={"concurrency": 16})
    assert ("succeeded", 200) == (result.status, len(desk.rows("things")))
    assert vendor.refused < 40
