"""A vendor and its page of many words: every paginator, fan-out, windows, jobs, second sweeps, answers that move on."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.author.crash.job import Job
from engine.author.crash.vendor import Scene
from engine.spec.yamlfile import parse
from tests.crash.scenes import watched
from tests.vendors.lists import Lists, query
from tests.vendors.server import Answer, Asked

NOON = 1_781_524_800.0
"""2026-06-15T12:00:00Z."""
CASES = parse((Path(__file__).parents[1] / "cases" / "lists.yaml").read_text(), "lists.yaml").plain()
DAYS = [{"id": day, "at": f"2026-06-{day:02d}T00:00:00Z", "note": "x" * day} for day in range(1, 15)]
EVENT = {"id": {"path": "id", "type": "integer"}, "at": {"path": "at", "type": "datetime"}, "note": "note"}
NUMBER = {"id": {"path": "id", "type": "integer"}}
OFFSET = {"send": "query.offset", "size": {"send": "query.limit", "value": 4}}
TOKEN = {"cursor": {"read": "answer.next", "send": "query.token"}}
BETWEEN = {"from": "query.since", "until": "query.before"}
ENDPOINTS: dict[str, Any] = {
    "stores": {"get": "/stores", "records": "data", "paginate": {"offset": {**OFFSET, "total": "answer.total"}}},
    "shelves": {
        "for_each": {"store": "stores"},
        "get": "/stores/${store.id}/shelves",
        "records": "data",
        "paginate": TOKEN,
        "add": {"store_id": "${store.id}"},
        "responses": [{"when": {"status": 403}, "skip": {"say": "store ${store.id} is closed"}}],
    },
    "boxes": {
        "for_each": {"shelf": "shelves"},
        "get": "/shelves/${shelf.id}/boxes",
        "add": {"shelf_id": "${shelf.id}"},
    },
    "windows": {
        "get": "/events",
        "records": "data",
        "paginate": TOKEN,
        "incremental": {"field": "at", "start": "2026-06-01", "step": "3d", "order": "asc", "send": BETWEEN},
    },
    "halves": {
        "get": "/capped",
        "records": "data",
        "incremental": {"start": "2026-06-01", "send": BETWEEN},
        "responses": [{"when": {"status": 422}, "split_window": {"smallest": "1h"}}],
    },
    "heavy": {
        "get": "/heavy",
        "records": "data",
        "paginate": {"page_number": {"send": "query.page", "size": {"send": "query.size", "value": 4}}},
        "responses": [{"when": {"status": 413}, "reduce_page": None}],
    },
    "short": {"get": "/short", "records": "data", "paginate": {"offset": {**OFFSET, "total": "answer.total"}}},
    "drifting": {"get": "/drifting", "records": "data", "paginate": {"offset": OFFSET}},
    "hidden": {"get": "/events", "records": "data", "paginate": TOKEN, "redact": ["note"]},
    "changed": {
        "for_each": {"event": {"endpoint": "hidden", "when_changed": "at"}},
        "get": "/events/${event.id}",
    },
    "kept": {"get": "/kept", "conditional": True},
    "exports": {
        "job": {
            "create": {"post": "/exports", "body": {"kind": "all"}, "read": "answer.id"},
            "poll": {"get": "/exports/${job.id}", "done": "answer.state == 'DONE'", "every": "10s", "deadline": "5m"},
            "fetch": {"urls": "answer.files[].url"},
        },
        "records": "rows",
    },
}
TABLES: dict[str, Any] = {
    "stores": {"from": "stores", "key": "id", "columns": NUMBER},
    "shelves": {"from": "shelves", "key": "id", "columns": {"id": "id", "store_id": "store_id"}},
    "boxes": {"from": "boxes", "key": "id", "columns": {"id": "id", "shelf_id": "shelf_id"}},
    "windows": {"from": "windows", "key": "id", "columns": EVENT},
    "halves": {"from": "halves", "key": "id", "columns": EVENT},
    "heavy": {"from": "heavy", "key": "id", "columns": NUMBER},
    "short": {"from": "short", "key": "id", "columns": NUMBER},
    "drifting": {"from": "drifting", "columns": NUMBER},
    "hidden": {
        "from": "hidden",
        "key": "id",
        "columns": {name: EVENT[name] for name in ("id", "at")},
        "validate": [{"range": {"column": "id", "max": 12}}],
    },
    "changed": {"from": "changed", "key": "id", "mode": "upsert", "columns": EVENT},
    "kept": {"from": "kept", "key": "id", "columns": NUMBER},
    "exports": {"from": "exports", "key": "id", "columns": NUMBER},
    "in_store": {"key": "store_id", "sql": "SELECT store_id, count(*) AS n FROM shelves GROUP BY 1 ORDER BY 1"},
}
REPORTS: dict[str, Any] = {
    "boxes": {"csv": "boxes"},
    "all": {"excel": {"sheets": ["stores", "in_store", "windows"]}},
    "page": {"html": {"tables": ["in_store"]}},
    "list": {"json": "heavy"},
}


class Words(Lists):
    """The lists of many vendors, and what the other endpoints ask for; the same request gets the same answer."""

    def __init__(self, count: int = 205) -> None:
        super().__init__(count)
        self.last = 12
        """The newest day of which there are events."""
        self.polls: Counter[str] = Counter()
        self.counting = threading.Lock()
        self.open = threading.Event()
        """Set while answers are given."""
        self.open.set()
        self.holds = ""
        """Paths that begin so get no answer until `let_go`."""
        self.held = threading.Event()

    def forget(self) -> None:
        """Begin anew."""
        with self.counting:
            self.polls.clear()

    def let_go(self) -> None:
        """Answer everything from now on."""
        self.holds = ""
        self.held.clear()
        self.open.set()

    def answer(self, asked: Asked) -> Answer:
        """What stands at the path."""
        if self.holds and asked.path.startswith(self.holds):
            self.open.clear()
            self.held.set()
        self.open.wait()
        segments, sent = asked.segments() or ("",), query(asked)
        found = getattr(self, f"_{segments[0]}", None)
        if found is None:
            return super().answer(asked)
        value = found(asked, segments[1:], sent)
        return value if isinstance(value, Answer) else Answer.json(value)

    @property
    def days(self) -> list[Any]:
        """The events there are by now."""
        return DAYS[: self.last]

    def _stores(self, asked: Asked, rest: tuple[str, ...], sent: dict[str, str]) -> Any:
        if rest[1:] == ("shelves",):
            number, at = int(rest[0]), int(sent.get("token", 0))
            if number == 3:
                return Answer.json({"error": "closed"}, 403)
            more = {"next": str(at + 2)} if at + 2 < number else {}
            return {"data": [{"id": f"{number}-{n}"} for n in range(at, min(at + 2, number))], **more}
        return _offset([{"id": n} for n in range(1, 8)], sent, total=7)

    def _shelves(self, asked: Asked, rest: tuple[str, ...], sent: dict[str, str]) -> Any:
        return [{"id": f"{rest[0]}-{name}"} for name in "abc"]

    def _events(self, asked: Asked, rest: tuple[str, ...], sent: dict[str, str]) -> Any:
        if rest:
            return [DAYS[int(rest[0]) - 1]]
        start, end = sent.get("since", ""), sent.get("before", "9")
        rows, at = [row for row in self.days if start <= row["at"] < end], int(sent.get("token", 0))
        return {"data": rows[at : at + 2], **({"next": str(at + 2)} if at + 2 < len(rows) else {})}

    def _capped(self, asked: Asked, rest: tuple[str, ...], sent: dict[str, str]) -> Any:
        rows = [row for row in self.days if sent["since"] <= row["at"] < sent["before"]]
        return Answer.json({"error": "too many"}, 422) if len(rows) > 4 else {"data": rows}

    def _heavy(self, asked: Asked, rest: tuple[str, ...], sent: dict[str, str]) -> Any:
        size, rows = int(sent["size"]), [{"id": n} for n in range(1, 17)]
        at = (int(sent["page"]) - 1) * size
        return Answer.json({"error": "too heavy"}, 413) if size > 2 and at >= 4 else {"data": rows[at : at + size]}

    def _short(self, asked: Asked, rest: tuple[str, ...], sent: dict[str, str]) -> Any:
        return _offset([{"id": n} for n in range(1, 9)], sent, total=9)

    def _drifting(self, asked: Asked, rest: tuple[str, ...], sent: dict[str, str]) -> Any:
        rows = [{"id": n} for n in range(1, 10)]
        return _offset(rows if sent["offset"] == "0" else [{"id": 0}, *rows], sent)

    def _kept(self, asked: Asked, rest: tuple[str, ...], sent: dict[str, str]) -> Any:
        if asked.headers.get("if-none-match") == '"1"':
            return Answer(304, b"", {"ETag": '"1"'})
        return Answer.json([{"id": n} for n in range(5)], 200, ETag='"1"')

    def _exports(self, asked: Asked, rest: tuple[str, ...], sent: dict[str, str]) -> Any:
        with self.counting:
            if not rest:
                self.polls["e1"] = 0
                return {"id": "e1"}
            if rest[0] == "e1":
                self.polls["e1"] += 1
                ready = self.polls["e1"] > 2
                files = [{"url": f"{self.url}/exports/{name}"} for name in ("file-a", "file-b")]
                return {"state": "DONE", "files": files} if ready else {"state": "RUNNING"}
        return {"rows": [{"id": ord(rest[0][-1]) * 10 + n} for n in range(3)]}


def _offset(rows: list[Any], sent: dict[str, str], **more: Any) -> Any:
    at, size = int(sent["offset"]), int(sent["limit"])
    return {"data": rows[at : at + size], **more}


def page(folder: Path, vendor: Words, *, concurrency: int = 8, lists: bool = True, **changes: Any) -> Path:
    """The page, with or without the lists of many vendors."""
    endpoints, tables = dict(ENDPOINTS), dict(TABLES)
    for number, case in enumerate(CASES if lists else ()):
        name = f"{case['list']}_{number}"
        endpoint = parse(case["endpoint"], "lists.yaml").plain()
        endpoints[name] = endpoint
        path = "_source.id" if case["list"] == "elastic" else "id"
        tables[name] = {"from": name, "key": "id", "columns": {"id": path}}
    said = {
        "version": 1,
        "tool": "words",
        "connection": {"base_url": vendor.url, "concurrency": concurrency, "rate_limit": "10000/s"},
        "endpoints": endpoints,
        "tables": tables,
        "reports": REPORTS,
        **changes,
    }
    place = folder / "words.yaml"
    place.write_text(json.dumps(said))
    return place


def opening(vendor: Words) -> Any:
    """Gives what is asked of the vendor, which has forgotten what it was asked before."""
    inner = watched(vendor)

    @contextmanager
    def opened() -> Iterator[Scene]:
        vendor.forget()
        with inner() as scene:
            yield scene

    return opened


def job(place: Path, *, now: float = NOON, **more: Any) -> Job:
    """A run of the page at a time that stands still."""
    return Job(str(place), {}, now=now, **more)
