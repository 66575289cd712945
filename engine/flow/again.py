"""Pages that did not change since they were kept: asked for with a condition, and taken again where the vendor says so.

Source: RFC 9110 section 13.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from engine.core import jsontext
from engine.core.errors import CollectionError, StorageError
from engine.core.wire import Page, Request
from engine.flow.began import chain
from engine.flow.ledger import Ledger
from engine.flow.raw import Frame, Known, Meta, Spot, frame_at
from engine.flow.store import Store
from engine.flow.unpack import answer_of, decode_of
from engine.spec.collect import Endpoint

UNCHANGED = 304
CONDITIONS = ("if-none-match", "if-modified-since")
PASSING = frozenset({"connection", "content-encoding", "content-length", "date", "set-cookie", "transfer-encoding"})
"""Headers that are about one delivery, not about what was delivered."""


@dataclass(frozen=True)
class Again:
    """The conditions of one unit. Without `conditional` on its endpoint it changes nothing."""

    endpoint: Endpoint
    partition: str
    find: Callable[[str], Frame | None]
    """What was kept of a request, by its mark."""

    def aim(self, request: Request) -> Request:
        """The request with the condition that its answer changed, where an earlier one was kept and can be read."""
        if not self.endpoint.conditional or request.method != "GET":
            return request
        frame = self.find(self._mark(request))
        if frame is None or frame.meta.known is None:
            return request
        known, bare = frame.meta.known, _bare(request)
        conditions = zip(CONDITIONS, (known.etag, known.modified), strict=True)
        return replace(bare, header=(*bare.header, *(one for one in conditions if one[1])))

    def answered(self, page: Page) -> Page:
        """The page, or the earlier one where the vendor says that it did not change; its request has no condition."""
        request = _bare(page.request)
        if not self.endpoint.conditional or request is page.request:
            return page  # a 304 that nobody asked for stays one, and is refused as such
        if page.status != UNCHANGED:
            return replace(page, request=request)
        frame = self.find(self._mark(request))
        if frame is None or frame.meta.known is None:
            raise CollectionError(
                f"{request.describe()}: the page that did not change cannot be read any more", "collect again"
            )
        headers = {**frame.meta.known.headers, **page.headers}
        return replace(answer_of(frame, self.endpoint), request=request, headers=headers, tries=page.tries)

    def noted(self, meta: Meta, page: Page) -> Meta:
        """What is kept of a page, with what the next collection needs to ask whether it changed."""
        said = (page.headers.get("etag", ""), page.headers.get("last-modified", ""))
        etag, modified = (one if one.isascii() and one.isprintable() else "" for one in said)  # it is sent as it came
        if not self.endpoint.conditional or not (etag or modified):
            return meta
        headers = {name: value for name, value in page.headers.items() if name not in PASSING}
        return meta.with_known(Known(self._mark(page.request), etag, modified, headers))

    def _mark(self, request: Request) -> str:
        """What was asked for, its headers too, for which partition, and how its answer is decoded."""
        bare = _bare(request)
        headers = sorted((name.lower(), value) for name, value in bare.header)
        decode = decode_of(self.endpoint)
        said = jsontext.canonical([self.partition, bare.fingerprint, headers, [str(decode.by), *decode.ways]])
        return hashlib.sha256(said.encode()).hexdigest()[:32]


def _bare(request: Request) -> Request:
    """The request without a condition."""
    header = tuple(pair for pair in request.header if pair[0].lower() not in CONDITIONS)
    return request if len(header) == len(request.header) else replace(request, header=header)


@dataclass
class Earlier:
    """What the last complete collection of each endpoint kept; looked through at the first question."""

    store: Store
    ledger: Ledger
    tool: str
    _places: dict[str, dict[str, Spot]] = field(default_factory=dict)
    """Endpoint -> mark -> where its frame begins."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, name: str, endpoint: Endpoint, partition: str) -> Again:
        """The conditions of one unit."""
        return Again(endpoint, partition, lambda mark: self._find(name, mark))

    def _find(self, name: str, mark: str) -> Frame | None:
        """The kept page of a request; None where there is none that can be read."""
        with self._lock:
            if name not in self._places:
                self._places[name] = dict(self._look(name))
        place = self._places[name].get(mark)
        if place is None:
            return None
        try:
            with place[0].open("rb") as file:
                return frame_at(file, *place, self.store.seal)
        except (OSError, StorageError):
            return None

    def _look(self, name: str) -> list[tuple[str, Spot]]:
        sealed = [one for one in self.ledger.collections(self.tool) if one.endpoint == name]
        whole = [one for one in sealed if one.complete]
        found: list[tuple[str, Spot]] = []
        for run in chain(sealed, whole[-1]) if whole else ():
            with suppress(OSError, StorageError):  # what is not found is asked for without a condition
                for path, at, meta in self.store.heads(name, run):
                    found += [(meta.known.mark, (path, at))] if meta.known else []
        return found
