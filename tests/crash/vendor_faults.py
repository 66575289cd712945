"""What can be wrong with a vendor, each as a list of records that is answered wrongly for a while or for good."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.vendors.server import HTML, Answer, Asked, Server

Wrong = Callable[["Stock", Asked, int], Answer | None]
"""What is answered instead, to a request and how often it has come by now; None for the true answer."""
PAGE, THIRD, COUNT = 4, 3, 24
NUMBER = {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": PAGE}}}
COUNTED = {"page_number": {**NUMBER["page_number"], "total": "answer.total"}}
TOKEN = {"cursor": {"read": "answer.next", "send": "query.page"}}
LINK = {"next_url": {"read": "answer.link"}}


class Stock(Server):
    """A list of records in pages of four, by number, token or link."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Any] = [{"id": n, "text": f"thing {n}"} for n in range(1, COUNT + 1)]
        self.wrong: Wrong | None = None
        self.times: Counter[int] = Counter()

    def answer(self, asked: Asked) -> Answer:
        """A page, or what is answered instead."""
        number = int(dict(asked.query).get("page", 1))
        self.times[number] += 1
        wrong = self.wrong(self, asked, self.times[number]) if self.wrong and number == THIRD else None
        return wrong or self.page(number)

    def page(self, number: int, **more: Any) -> Answer:
        """A page as it should be."""
        return Answer(200, json.dumps({**self.said(number), **more}, ensure_ascii=False).encode())

    def said(self, number: int) -> dict[str, Any]:
        """What stands on a page."""
        rows = self.rows[PAGE * (number - 1) :][:PAGE]
        more = {"next": str(number + 1), "link": f"?page={number + 1}"} if PAGE * number < len(self.rows) else {}
        return {"data": rows, "total": len(self.rows), **more}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and what becomes of the run that meets it."""

    wrong: Wrong | None = None
    exit_code: int = 0
    paginate: Mapping[str, Any] | None = None
    rows: Callable[[list[Any]], list[Any]] | None = None
    """The records of a vendor who has wrong ones."""
    apart: int = 0
    """How many of them are set apart."""
    rules: tuple[Any, ...] = ()


def once(answer: Answer) -> Wrong:
    """This answer the first time."""
    return lambda stock, asked, times: answer if times == 1 else None


def ever(answer: Answer) -> Wrong:
    """This answer each time."""
    return lambda stock, asked, times: answer


def said(more: Callable[[Stock], Mapping[str, Any]]) -> Wrong:
    """The page with other words in it."""
    return lambda stock, asked, times: stock.page(THIRD, **more(stock))


def _cut(stock: Stock, asked: Asked, times: int) -> Answer:
    whole = stock.page(THIRD)
    return Answer(200, whole.body[: len(whole.body) // 2])


def _drifted(stock: Stock, asked: Asked, times: int) -> Answer:
    """A record came in before the others while the list was read."""
    return stock.page(THIRD, data=stock.rows[PAGE * 2 - 1 : PAGE * 3 - 1])


def _first(answer: Wrong) -> Wrong:
    return lambda stock, asked, times: answer(stock, asked, times) if times == 1 else None


STATUS = {status: Answer.json({"error": "not now"}, status) for status in (429, 500, 502, 503, 504)}
LONG = "é\n" * 3_500_000
DEEP: Any = 1
for _ in range(400):
    DEEP = {"a": DEEP}

FAULTS: dict[str, Fault] = {
    "429 with Retry-After": Fault(once(Answer(429, b"{}", {"Retry-After": "7"}))),
    "429 without Retry-After": Fault(once(STATUS[429])),
    "429 for ever": Fault(ever(STATUS[429]), 3),
    "500": Fault(once(STATUS[500])),
    "502": Fault(once(STATUS[502])),
    "503": Fault(once(STATUS[503])),
    "504": Fault(once(STATUS[504])),
    "500 for ever": Fault(ever(STATUS[500]), 3),
    "truncated JSON": Fault(_first(_cut)),
    "truncated JSON for ever": Fault(_cut, 3),
    "HTML with 200": Fault(once(Answer(200, HTML, {"Content-Type": "text/html"}))),
    "HTML with 200 for ever": Fault(ever(Answer(200, HTML, {"Content-Type": "text/html"})), 3),
    "repeated cursor": Fault(said(lambda stock: {"next": str(THIRD)}), 3, TOKEN),
    "A-B-A-B cursor": Fault(said(lambda stock: {"next": str(THIRD - 1)}), 3, TOKEN),
    "ignored page parameter": Fault(lambda stock, asked, times: stock.page(2), 3),
    "drift once": Fault(_first(_drifted)),
    "drift for ever": Fault(_drifted, 3),
    "wrong total": Fault(said(lambda stock: {"total": COUNT + 3}), 3, COUNTED),
    "redirect to another host": Fault(
        lambda stock, asked, times: Answer(302, b"", {"Location": "http://127.0.0.2:9/things"}), 3
    ),
    "next link to another host": Fault(said(lambda stock: {"link": "http://127.0.0.2:9/?page=4"}), 3, LINK),
    "missing records path": Fault(ever(Answer.json({"items": []})), 3),
    "duplicate rows": Fault(rows=lambda rows: [*rows, rows[0]], paginate=TOKEN, rules=({"unique": ["id"]},)),
    "duplicate keys": Fault(
        rows=lambda rows: [*rows, {"id": 1, "text": "another"}], exit_code=4, apart=1, rules=({"unique": ["id"]},)
    ),
    "missing keys": Fault(
        rows=lambda rows: [*rows, {"text": "no id"}], exit_code=4, apart=1, rules=({"required": ["id"]},)
    ),
    "wrong types": Fault(rows=lambda rows: [*rows, {"id": "x", "text": "?"}, 7], exit_code=4, apart=2),
    "invalid UTF-8": Fault(
        exit_code=4,
        apart=1,
        wrong=lambda stock, asked, times: Answer(200, stock.page(THIRD).body.replace(b"thing 9", b"thing \xff")),
    ),
    "10 MB strings": Fault(rows=lambda rows: [*rows[:-1], {"id": COUNT, "text": LONG}]),
    "deep nesting": Fault(rows=lambda rows: [*rows[:-1], {"id": COUNT, "text": "deep", "more": DEEP}]),
}
