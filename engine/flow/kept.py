"""What was kept of a unit before its run was interrupted, given once more in place of asking for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from engine.core import jsontext
from engine.core.clock import read_instant, rfc3339
from engine.core.errors import Json
from engine.core.window import Window
from engine.core.wire import Page, Request
from engine.flow import answer
from engine.flow.raw import Frame, Meta, Spot, frame_at, rows_in
from engine.flow.seal import PLAIN, Seal
from engine.flow.store import Place
from engine.flow.unpack import answer_of
from engine.spec.collect import Endpoint
from engine.spec.foreach import Incremental

DIGEST_BYTES = 8


@dataclass(frozen=True)
class Kept(Page):
    """An answer that was kept before: what its paginator found in it then holds, as its body may have lost that."""

    meta: Meta = field(default_factory=lambda: Meta(0, "", "", 0.0))
    place: Spot = (Path(), 0)


@dataclass
class Replay:
    """The frames of one unit in the order in which they were kept, from where it was begun last."""

    places: Sequence[Place] = ()
    seal: Seal = PLAIN
    anew: Mapping[str, Json] = field(default_factory=dict)
    """How its last sweep began, where that is not the first."""
    sweep: int = 0
    """The number of its last sweep."""
    job: Place | None = None
    """Of a job that was created: what the requests behind it need."""
    is_settled: bool = False
    """Whether it is written down that its last sweep is whole."""
    failed: Mapping[str, Json] = field(default_factory=dict)
    """How it ended without being whole, and in which run."""
    _left: Iterator[Place] = field(default_factory=lambda: iter(()))

    def __post_init__(self) -> None:
        found: list[Place] = []
        for place in self.places:
            meta = place[2]
            if "anew" in meta.aside:
                self.anew, self.is_settled, found = meta.aside["anew"], False, []
                self.job = None if self.anew.get("fresh") else self.job
            elif "failed" in meta.aside:
                self.failed = meta.aside["failed"]
            elif "created" in meta.aside:
                self.job = place
            elif meta.settles:
                self.is_settled = True
            else:
                found.append(place)
            self.sweep = max(self.sweep, meta.sweep)
        self._left = iter(found)

    def next(self) -> Frame | None:
        """The frame that was kept next; None where nothing is left."""
        place = next(self._left, None)
        return None if place is None else self._frame(place)

    def answer(self, request: Request, endpoint: Endpoint) -> Kept | None:
        """The answer that was kept next, with its records."""
        place = next(self._left, None)
        return None if place is None else _given(self._frame(place), place, request, endpoint)

    def created(self) -> dict[str, Json] | None:
        """What `${job.…}` stands for behind the request that created the job; None where none is known."""
        return None if self.job is None else dict(jsontext.read(self._frame(self.job).body))

    def _frame(self, place: Place) -> Frame:
        path, at, _ = place
        with path.open("rb") as file:
            return frame_at(file, path, at, self.seal)


def _given(frame: Frame, place: Place, request: Request, endpoint: Endpoint) -> Kept:
    meta = frame.meta
    if meta.aside:
        return Kept(request, 200, meta=meta)
    page = answer_of(frame, endpoint)
    rows = rows_in(page.body, "@" if meta.redacted or meta.decoded else endpoint.records) or []
    return Kept(request, 200, body=page.body, rows=rows, meta=meta, place=place[:2])


# --- what is written down beside pages


def of_job(page: Page, now: float) -> Meta:
    """What is kept beside what the requests behind the one that created a job need."""
    return Meta(0, page.request.describe(), page.request.fingerprint, now, aside={"created": True})


def of_rule(page: Page, rule: int, say: str, now: float) -> Meta:
    """What is kept of an answer that a response rule is for; its body may hold what must not be kept."""
    said = {"rule": rule, "say": say}
    return Meta(0, page.request.describe(), page.request.fingerprint, now, aside=said)


def windows_as_json(windows: Sequence[Window | None]) -> list[Json]:
    """Windows as plain JSON."""
    return [
        one and [rfc3339(one.start), rfc3339(one.end), one.granularity.total_seconds(), one.inclusive]
        for one in windows
    ]


def windows_of(said: Sequence[Json]) -> tuple[Window | None, ...]:
    """The windows that were written down."""
    return tuple(one and _window(*one) for one in said)


def _window(start: str, end: str, seconds: float, inclusive: bool) -> Window:
    return Window(read_instant(start), read_instant(end), timedelta(seconds=seconds), inclusive)


# --- redacted pages: what tells their records from others


def digests_of(key: str, rows: Sequence[bytes]) -> list[bytes]:
    """By what records are known that are not kept as they are; without the key nobody can guess one from it."""
    secret = bytes.fromhex(key)
    return [hashlib.blake2b(row, digest_size=DIGEST_BYTES, key=secret).digest() for row in rows]


def marks_of(key: str, page: Page) -> Sequence[bytes]:
    """By what the records of a page are known: where there is no key, by themselves."""
    if not key:
        return page.rows
    if isinstance(page, Kept):
        found = page.meta.digests
        return [found[at : at + DIGEST_BYTES] for at in range(0, len(found), DIGEST_BYTES)]
    return digests_of(key, page.rows)


def times_of(incremental: Incremental, page: Page) -> list[datetime]:
    """The times of a page's records; of a redacted page that was kept those that matter."""
    if isinstance(page, Kept) and page.meta.redacted:
        return [read_instant(one) for one in page.meta.times]
    return answer.times(incremental, page.rows)


def shortened(times: Sequence[datetime]) -> list[str]:
    """Two times that say the same of order and end as all of them do."""
    if not times:
        return []
    found = list(times)
    if found in (sorted(found), sorted(found, reverse=True)):
        return [rfc3339(found[0]), rfc3339(found[-1])]
    return [rfc3339(max(found)), rfc3339(min(found))]
