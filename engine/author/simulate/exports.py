"""Exports of the simulated vendor: asked for, not ready when first polled, then cut into files."""

from __future__ import annotations

import re
import threading
import zlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from engine.author.simulate.replies import Reply, reply
from engine.author.simulate.routes import Found, job_fields
from engine.author.simulate.shape import Shape, grow
from engine.core import jsontext
from engine.core.errors import Json
from engine.core.wire import Request
from engine.flow.plan import Plan, render
from engine.spec.answers import Decode
from engine.spec.job import Create, Fetch, Job, Poll

FILE = re.compile(r"/simulated/([^/]+)/(\d+)")
FILES = 2
"""So many has an export, where the page bears with several."""


@dataclass
class Export:
    """What was asked for, and how often somebody asked whether it is ready."""

    found: Found
    polls: int = 0


@dataclass(frozen=True)
class File:
    """One file of an export, or all it has where the page asks for it by an address of its own."""

    found: Found
    name: str
    """Of the export."""
    number: int = 0
    of: int = 1

    def part(self, rows: list[Json]) -> list[Json]:
        """Its share of the records."""
        size = -(-len(rows) // self.of)
        return rows[self.number * size : (self.number + 1) * size]


@dataclass
class Exports:
    """All exports by their names; many threads may ask at once."""

    plan: Plan
    _open: dict[str, Export] = field(default_factory=dict)
    _last: dict[str, str] = field(default_factory=dict)
    """Unit -> the export that it began last, for pages that name none."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reply(self, found: Found) -> Reply | None:
        """The answer to who begins an export, asks how far it is, or where its files are; None where there is none."""
        job, ask = found.unit.asked.endpoint.job, found.ask
        assert job
        with self._lock:
            if ask is job.create or not job.create:
                self._begin(found)
            name = self._name(found)
            if name not in self._open:
                return None
            self._open[name].polls += ask is job.poll
            early = ask is job.poll and self._open[name].polls == 1
        read = str(ask.read or "") if isinstance(ask, Create | Poll) else ""
        gives = {read: [_named(found, read, name)]} if read else {}
        if ask is list(job.steps.values())[-2]:
            gives |= self._files(name, job, found.request)
        if not isinstance(ask, Poll):
            return reply(gives=gives)
        never = [one for one in (ask.failed, ask.empty) if one]
        return (early and reply(fails=[ask.done, *never])) or reply(holds=[ask.done], fails=never, gives=gives)

    def file(self, request: Request, found: Found | None) -> File | None:
        """The file of an export that is asked for."""
        name, number = self._name(found) if found and isinstance(found.ask, Fetch) else "", 0
        if match := FILE.fullmatch(urlsplit(request.url).path):
            name, number = match.group(1), int(match.group(2))
        with self._lock:
            export = self._open.get(name)
        job = export.found.unit.asked.endpoint.job if export else None
        return File(export.found, name, number, _count(job) if found is None else 1) if export and job else None

    def _begin(self, found: Found) -> None:
        name = f"{found.unit.asked.name}-{found.request.fingerprint}"
        self._open.setdefault(name, Export(found))
        self._last[_unit(found)] = name

    def _name(self, found: Found) -> str:
        return found.job or self._last.get(_unit(found), "")

    def _files(self, name: str, job: Job, request: Request) -> dict[str, list[Json]]:
        """What is said of the files: where they are, and how they are decoded."""
        fetch, gives = job.fetch, dict[str, list[Json]]()
        if fetch.urls:
            home = self._home(job, request)
            gives[fetch.urls] = [f"{home}/simulated/{name}/{number}" for number in range(_count(job))]
        if fetch.decode and fetch.decode.by and (way := way_of(fetch.decode, name)):
            gives[fetch.decode.by] = [way]
        return gives

    def _home(self, job: Job, request: Request) -> str:
        """Where files lie: on another host, where the page allows one and asks for them without sign-in."""
        scope = self.plan.settings.scope()
        others = [str(render(host, scope)) for host in self.plan.pipeline.connection.allow_hosts]
        if job.fetch.auth == "none" and others:
            return f"https://{others[0].replace('*', 'files')}"
        parts = urlsplit(request.url)
        return f"{parts.scheme}://{parts.netloc}"


def way_of(decode: Decode, name: str) -> str | None:
    """Which of the ways an answer of this name is in; None where there is one only, or for that which is usual."""
    ways = [*decode.options, *([None] if decode.chain.links else [])]
    return ways[zlib.crc32(name.encode()) % len(ways)] if decode.by and ways else None


def _unit(found: Found) -> str:
    return jsontext.canonical([found.unit.asked.name, found.unit.binding])


def _named(found: Found, read: str, name: str) -> Json:
    """What an answer says of the export: a text, or an object where the page reads several fields of it."""
    fields = job_fields(found.unit.asked.endpoint)
    return name if set(fields) <= {"id", "result"} and read != "answer" else dict.fromkeys(fields, name)


def _count(job: Job) -> int:
    return FILES if job.fetch.urls and grow(Shape(), job.fetch.urls).many else 1
