"""A host that nobody reaches costs a few requests their tries, not all of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from threading import Event
from typing import Any

import pytest

from engine.core.errors import CollectionError
from engine.core.events import nowhere
from engine.core.wire import Request
from engine.flow.fetch import Fetcher, Route
from engine.flow.hosts import MOST_IN_A_ROW, PROBE_SECONDS
from engine.flow.line import Patience
from engine.flow.retry import Policy
from tests.flow.desk import Desk, Time, Tiny, of
from tests.flow.wire import answering, head_of, json_answer, serving

IN_VAIN = "no connection to 127.0.0.1: it was refused, after 2 tries"
UNTRIED = f"no connection to 127.0.0.1: it was refused; not tried, as {MOST_IN_A_ROW} in a row before it were in vain"


@contextmanager
def _nobody() -> Iterator[int]:
    """A port that refuses: it is taken, and nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


class Client:
    """Asks at ports of this machine; where a port has moved, there."""

    def __init__(self) -> None:
        self.time, self.moved = Time(), dict[str, str]()
        self.fetcher = Fetcher(self.time.clock(), nowhere, policy=Policy(tries=2), reach=self._reach)
        self.close = self.fetcher.close

    def _reach(self, url: str) -> str:
        for old, new in self.moved.items():
            url = url.replace(old, new)
        return url

    def ask(self, port: int, times: int = 1) -> list[str]:
        """What came of so many requests, one after the other."""
        return [self._one(port) for _ in range(times)]

    def _one(self, port: int) -> str:
        route = Route("things", None, (), frozenset({"127.0.0.1"}), Patience(5, 5, 5), 10**6)
        try:
            return self.fetcher.fetch(Request("GET", f"http://127.0.0.1:{port}/things"), route).body.decode()
        except CollectionError as error:
            return error.message.partition(": ")[2]


@pytest.fixture
def client() -> Iterator[Client]:
    with closing(Client()) as opened:
        yield opened


def test_after_some_requests_in_vain_the_others_fail_at_once_and_say_why(client: Client) -> None:
    with _nobody() as port:
        assert [IN_VAIN] * MOST_IN_A_ROW == client.ask(port, MOST_IN_A_ROW)
        waited = len(client.time.waits)
        assert [UNTRIED] * 20 == client.ask(port, 20)
        assert waited == len(client.time.waits)


def test_from_time_to_time_one_is_tried_all_the_same(client: Client) -> None:
    with _nobody() as port:
        client.ask(port, MOST_IN_A_ROW)
        client.time.now += PROBE_SECONDS
        assert IN_VAIN == client.ask(port)[0]
        assert "not tried, as 6 in a row" in client.ask(port)[0]


def test_once_one_comes_through_all_do(client: Client) -> None:
    with ExitStack() as stack:
        port = stack.enter_context(_nobody())
        client.ask(port, MOST_IN_A_ROW)
        client.moved[f":{port}/"] = f":{stack.enter_context(serving(answering(json_answer(b'[]'))))}/"
        assert UNTRIED == client.ask(port)[0]
        client.time.now += PROBE_SECONDS
        assert ["[]"] * 3 == client.ask(port, 3)


def test_an_answer_in_between_begins_the_count_anew(client: Client) -> None:
    with _nobody() as port, serving(answering(json_answer(b"[]"))) as other:
        client.ask(port, MOST_IN_A_ROW - 1)
        client.moved[f":{port}/"] = f":{other}/"
        assert ["[]"] == client.ask(port)
        client.moved.clear()
        assert [IN_VAIN] * MOST_IN_A_ROW == client.ask(port, MOST_IN_A_ROW)


def test_another_host_is_not_concerned(client: Client) -> None:
    with _nobody() as port, serving(answering(json_answer(b"[]"))) as other:
        client.ask(port, MOST_IN_A_ROW)
        assert ["[]"] == client.ask(other)


def test_who_answers_badly_is_reached(client: Client) -> None:
    def hang_up(connection: socket.socket, over: Event) -> None:
        head_of(connection)

    with serving(hang_up) as port:
        found = client.ask(port, MOST_IN_A_ROW + 2)
    assert ["the connection broke (RemoteDisconnected), after 2 tries"] == list(dict.fromkeys(found))


def test_a_dead_vendor_costs_a_fan_out_a_few_tries_and_it_is_incomplete(desk: Desk, vendor: Tiny) -> None:
    with _nobody() as port:
        below: dict[str, Any] = {
            "for_each": {"it": list(range(200))},
            "get": f"http://127.0.0.1:{port}/things/${{it}}",
        }
        result = desk.collect({"things": below}, connection={"base_url": vendor.url, "concurrency": 1})
    missing = of(result, "things").missing
    assert ("incomplete", 200, MOST_IN_A_ROW) == (
        result.status,
        len(missing),
        sum(", after 5 tries" in one for one in missing),
    )
