"""What the simulated vendor answers: records in pages to requests that are signed, refusals to all others."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from engine.author.simulate.exports import Exports, File, way_of
from engine.author.simulate.form import Form
from engine.author.simulate.replies import Reply, reply, troubles
from engine.author.simulate.routes import Found, Routes
from engine.core import jsontext, select
from engine.core.clock import Clock, rfc3339
from engine.core.encoded import encoded
from engine.core.errors import Json, Mistake
from engine.core.kinds import Auth, PageSize, Paginator, Served
from engine.core.times import TimeFormat, instant_of
from engine.core.wire import Page, Place, Request
from engine.spec.answers import Decode
from engine.spec.foreach import Incremental

PAGE = 25
"""Where a paginator bears with shorter pages than it asks for, they have at most so many records."""
JSON = {"content-type": "application/json"}
TYPES = {"csv": "text/csv", "xml": "application/xml", "jsonl": "application/x-ndjson", "json": "application/json"}
KNOWN = Place("header.If-None-Match")


@dataclass
class Desk:
    """Answers requests out of a world that does not change any more; many threads may ask at once."""

    forms: Mapping[str, Form]
    routes: Routes
    auth: Auth | None
    clock: Clock
    exports: Exports
    _troubles: dict[str, list[Reply]] = field(default_factory=dict)
    _troubled: set[str] = field(default_factory=set)
    """The requests that met with trouble: they do once."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Page:
        """What the vendor says to a request."""
        now = self.clock.now()
        if self.auth and (granted := self.auth.grant(request, now)) is not None:
            return granted
        found = self.routes.find(request)
        file = self.exports.file(request, found)
        job = file.found.unit.asked.endpoint.job if file else None
        if self.auth and not (job and job.fetch.auth == "none") and not self.auth.admit(request, now):
            page = _refusal(request, 401, "UNAUTHENTICATED", "the request is not signed as it should be")
            return replace(page, headers={**page.headers, **self.auth.challenge(request, now)})
        if file is None and found is None:
            return _refusal(request, 404, "NOT_FOUND", f"there is nothing at {urlsplit(request.url).path}")
        asked = file.found if file else found
        assert asked
        if trouble := self._trouble(asked, request, now):
            return _said(request, trouble)
        if file is None and asked.ask:
            said = self.exports.reply(asked)
            return _said(request, said) if said else _refusal(request, 404, "NOT_FOUND", "there is no such export")
        return self._records(request, asked, file)

    def _records(self, request: Request, asked: Found, file: File | None) -> Page:
        form, name = self.forms[asked.unit.asked.name], request.fingerprint
        rows, decode = within(asked, form, self.clock.now()), form.endpoint.decode
        if file and form.endpoint.job:
            rows, decode, name = file.part(rows), form.endpoint.job.fetch.decode or decode, file.name
        try:
            page = serve(form.endpoint.paginate, request if file else asked.request, rows, form, self.clock.now())
        except (ValueError, TypeError):
            return _refusal(request, 400, "INVALID_ARGUMENT", "there is no such page")
        try:
            page = _encoded(page, decode, way_of(decode, name))
        except Mistake as mistake:
            return _refusal(request, 501, "NOT_IMPLEMENTED", f"no answer can be made up: {mistake}")
        return _conditional(page) if form.endpoint.conditional else page

    def _trouble(self, asked: Found, request: Request, now: float) -> Reply | None:
        """What the page expects of its vendor, each once in a run, and each from another request."""
        name = asked.unit.asked.name
        with self._lock:
            if name not in self._troubles:
                self._troubles[name] = troubles(self.forms[name].endpoint, now)
            if not self._troubles[name] or request.fingerprint in self._troubled:
                return None
            self._troubled.add(request.fingerprint)
            return self._troubles[name].pop(0)


def within(found: Found, form: Form, now: float) -> list[Json]:
    """The unit's records that lie in the window of the request, in the order that the page says."""
    rows, incremental = list(found.unit.rows), found.unit.asked.endpoint.incremental
    if incremental is None or form.one:
        return rows
    dated = _dated(incremental, rows, form.since) if incremental.field else _spread(rows, form, now)
    start, end, inclusive = found.ends.get("start"), found.ends.get("end"), incremental.bounds == "inclusive"
    dated = [(at, row) for at, row in dated if not start or start.cut(at) >= start.at]
    dated = [(at, row) for at, row in dated if not end or end.cut(at) < end.at or (inclusive and end.cut(at) == end.at)]
    if incremental.order != "none":
        dated.sort(key=lambda pair: pair[0], reverse=incremental.order == "desc")
    return [row for _, row in dated]


def _dated(incremental: Incremental, rows: list[Json], since: float) -> list[tuple[datetime, Json]]:
    """Rows with their times; one that has none is as old as can be."""
    read, found = select.compile(incremental.field or "@"), []
    for row in rows:
        try:
            at = instant_of(read.search(row), incremental.read_format)
        except (ValueError, select.SelectError):
            at = datetime.fromtimestamp(since, UTC)
        found.append((at, row))
    return found


def _spread(rows: list[Json], form: Form, now: float) -> list[tuple[datetime, Json]]:
    """Rows of which nobody says when they were: one after the other, from the beginning until now."""
    step = (now - form.since) / max(1, len(rows))
    times = (datetime.fromtimestamp(form.since + step * (number + 0.5), UTC) for number in range(len(rows)))
    return list(zip(times, rows, strict=True))


def serve(paginator: Paginator | None, request: Request, rows: list[Json], form: Form, now: float) -> Page:
    """One page of the rows; a shorter one than was asked for, where the paginator goes on all the same."""
    if paginator is None or form.one:
        return _page(request, Served(rows), form)
    if getattr(paginator, "field", "") is None:
        return _page(request, _timed(paginator, request, rows, form, now), form)
    size = getattr(paginator, "size", None)
    if isinstance(size, PageSize) and size.asked(request) > PAGE:
        # told by the first page for all: were only some of them shorter, page numbers would pass over records
        first = paginator.aim(request, paginator.start()).put(size.send, PAGE)
        short = _stopping(paginator, _page(first, paginator.serve(first, rows), form), rows)
        if len(rows) <= PAGE or _goes_on(paginator, short):
            request = request.put(size.send, PAGE)
    return _stopping(paginator, _page(request, paginator.serve(request, rows), form), rows)


def _timed(paginator: Paginator, request: Request, rows: list[Json], form: Form, now: float) -> Served:
    """The rows of a time, where the paginator does not say which field tells it."""
    incremental = form.endpoint.incremental
    if incremental and incremental.field:
        known = {"field": incremental.field, "read_format": incremental.read_format}
        return paginator.model_copy(update=known).serve(request, rows)
    dated = [{"at": rfc3339(at), "row": row} for at, row in _spread(rows, form, now)]
    served = paginator.model_copy(update={"field": "at", "read_format": [TimeFormat("iso")]}).serve(request, dated)
    return Served([one["row"] for one in served.rows])


def _goes_on(paginator: Paginator, page: Page) -> bool:
    stops = paginator.stop_when and page.read(paginator.stop_when)
    return not stops and paginator.after(paginator.start(), page) is not None


def _stopping(paginator: Paginator, page: Page, rows: Sequence[Json]) -> Page:
    """The page with what `stop_when` reads of an answer: true on the last one alone."""
    stop = paginator.stop_when
    if not stop or "answer" not in select.compile(stop).roots or not isinstance(page.answer, dict):
        return page
    last = not page.rows or page.rows[-1] == jsontext.write(rows[-1])
    said = reply(holds=[stop]) if last else reply(fails=[stop])
    return replace(page, body=jsontext.write(_merged(said.answer, page.answer))) if said else page


def _merged(under: Json, over: Json) -> Json:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {**under, **{name: _merged(under.get(name), value) for name, value in over.items()}}


def _page(request: Request, served: Served, form: Form) -> Page:
    body = form.envelop([encoded(row, form.endpoint.decode_fields) for row in served.rows])
    for keys, value in served.answer.items():
        if isinstance(body, dict):
            _put(body, keys, value)
    headers = {**JSON, **{name.lower(): value for name, value in served.headers.items()}}
    return Page(request, 200, headers, jsontext.write(body), [jsontext.write(row) for row in served.rows])


def _put(body: dict[str, Json], keys: Sequence[str], value: Json) -> None:
    for key in keys[:-1]:
        inner = body.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        body = inner
    body[keys[-1]] = value


def _encoded(page: Page, decode: Decode, way: str | None) -> Page:
    """The page as it goes over the wire, in one of the ways that answers tell where there are several."""
    chain = decode.options.get(way or "", decode.chain)
    told = reply(gives={decode.by: [way]}) if decode.by and way else None
    kind = TYPES.get(chain.links[0].word, "application/octet-stream") if chain.links else JSON["content-type"]
    headers = {**page.headers, "content-type": kind, **(told.headers if told else {})}
    return replace(page, headers=headers, body=chain.encode(page.body))


def _conditional(page: Page) -> Page:
    """The page with its tag; nothing but that where the request says that it is known."""
    tag = f'"{hashlib.sha256(page.body).hexdigest()[:16]}"'
    known = page.request.get(KNOWN) == tag
    headers = {**page.headers, "etag": tag}
    return replace(page, status=304, headers=headers, body=b"") if known else replace(page, headers=headers)


def _said(request: Request, said: Reply) -> Page:
    return Page(request, said.status, {**JSON, **said.headers}, jsontext.write(said.answer))


def _refusal(request: Request, status: int, word: str, message: str) -> Page:
    error = {"error": {"code": status, "message": message, "status": word}}
    return Page(request, status, JSON, jsontext.write(error))
