"""What lies in a storage, readable: the published tables of a tool, their rows, and the kept pages."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import polars as pl

from engine.core import sql
from engine.core.clock import read_instant, rfc3339
from engine.core.decoding import Chain
from engine.core.errors import ConfigError, Json, Mistake, nearest
from engine.core.kinds import About
from engine.core.registry import Registry
from engine.flow.apart import HIDDEN, SCHEMA
from engine.flow.piped import pieces
from engine.flow.publish import Shelf
from engine.flow.raw import Frame
from engine.flow.storage import Storage, is_simulated


@dataclass(frozen=True)
class Shown:
    """The rows of a table that were asked for."""

    table: str
    columns: Mapping[str, str]
    """Column -> type."""
    matched: int
    """How many rows there are, whatever the limit."""
    rows: pl.LazyFrame
    simulated: bool
    registry: Registry
    shelf: Shelf

    def text(self, form: str) -> Iterator[str]:
        """The rows as the output of that name (csv, json, jsonl) writes them, piece by piece."""
        output = self.registry.part("outputs", form)
        if output is None:
            words = self.registry.words("outputs")
            raise ConfigError(f'no output is called "{form}"{nearest(form, words)}', f"there are {', '.join(words)}")
        about = About("", "", "", datetime.fromtimestamp(0, UTC), False, types={self.table: self.columns})
        wanted = output.model_validate({"table": self.table})
        found = pieces(lambda path: wanted.write({self.table: self.rows}, path, about))  # type: ignore[attr-defined]  # every output writes
        with self.shelf.blaming():
            yield from filter(None, codecs.iterdecode(found, "utf-8"))

    def records(self) -> list[dict[str, Json]]:
        """The rows as JSON values."""
        return [json.loads(line) for line in "".join(self.text("jsonl")).split("\n") if line]


def published(storage: Storage, tool: str, name: str) -> pl.LazyFrame:
    """The rows of a published table. Raises ConfigError."""
    shelf = storage.shelf(tool)
    rows = shelf.table(name)
    if rows is None:
        known = list(shelf.current().get("tables", {}))
        fix = f"its tables are: {', '.join(known)}" if known else f"run it first: engine run {tool}"
        raise ConfigError(f'{tool} has no table "{name}" in {storage.root}{nearest(name, known)}', fix)
    return rows


def tables(storage: Storage, tool: str) -> list[dict[str, Json]]:
    """The published tables of a tool: name, rows, whether complete, when made, notes. Raises ConfigError."""
    current = current_of(storage, tool)
    return [
        {
            "table": name,
            "rows": entry["rows"],
            "complete": entry.get("complete", True),
            "simulated": bool(current.get("simulated")),
            "made": _when(entry["run"]),
            "columns": len(entry["schema"]),
            "notes": entry.get("notes", []),
        }
        for name, entry in current["tables"].items()
    ]


def show(
    storage: Storage, tool: str, table: str, registry: Registry, *, where: str, limit: int | None, quarantine: bool
) -> Shown:
    """Rows of a published table, or of its quarantine. Raises ConfigError."""
    current = current_of(storage, tool)
    known = list(current["tables"])
    if table not in known:
        raise ConfigError(
            f'{tool} has no table "{table}" in {storage.root}{nearest(table, known)}',
            f"its tables are: {', '.join(known)}",
        )
    if quarantine:
        rows, types = set_apart(storage, tool, table, current["tables"][table]).drop(HIDDEN), {}
    else:
        found = storage.shelf(tool).table(table, current)
        assert found is not None
        rows = found
        types = {name: kind["type"] for name, kind in current["tables"][table]["schema"].items()}
    if where:
        rows = rows.filter(_condition(where, rows, current))
    schema = rows.collect_schema()
    shelf = storage.shelf(tool)
    with shelf.blaming():
        matched = int(rows.select(pl.len()).collect().item())
    columns = {name: types.get(name, str(kind).lower()) for name, kind in schema.items()}
    chosen = rows if limit is None else rows.head(limit)
    return Shown(table, columns, matched, chosen, bool(current.get("simulated")), registry, shelf)


def pages(
    storage: Storage,
    tool: str,
    endpoint: str,
    registry: Registry,
    *,
    run: str | None,
    page: int | None,
    limit: int | None,
) -> Iterator[dict[str, Json]]:
    """The kept pages of an endpoint in one run, the newest unless said. Raises ConfigError."""
    store = storage.store(tool)
    endpoints = store.endpoints()
    if endpoint not in endpoints:
        fix = f"kept are: {', '.join(endpoints)}" if endpoints else f"collect first: engine collect {tool}"
        raise ConfigError(
            f'{tool} has no kept pages of "{endpoint}" in {storage.root}{nearest(endpoint, endpoints)}', fix
        )
    runs = store.runs(endpoint)
    chosen = run or runs[-1]
    if chosen not in runs:
        raise ConfigError(_why_none(storage, tool, endpoint, chosen), f"these are there: {', '.join(runs)}")
    simulated = is_simulated(storage.root)
    numbered = enumerate(store.frames(endpoint, chosen))
    wanted = ((number, frame) for number, frame in numbered if page is None or number == page)
    if page is not None and store.page(endpoint, chosen, page) is None:
        count = sum(1 for _ in store.frames(endpoint, chosen))
        fix = f"it kept {count:,}, counted from 0"
        raise ConfigError(f"run {chosen} kept no page {page} of {endpoint}", fix)
    for number, frame in islice(wanted, limit):
        meta = frame.meta
        found: dict[str, Json] = {
            "run": chosen,
            "page": number,
            "request": meta.request,
            "at": rfc3339(datetime.fromtimestamp(meta.at, UTC)),
            "records": meta.rows,
            "redacted": meta.redacted,
            "decoded": meta.decoded,
            "simulated": simulated,
            "answer": _answer(frame, registry),
        }
        yield {
            **found,
            **({"asked": meta.body} if meta.body is not None else {}),
            **({"add": meta.add} if meta.add else {}),
            **({"came_as": meta.coding.chain} if meta.coding else {}),
        }


def _why_none(storage: Storage, tool: str, endpoint: str, run: str) -> str:
    """Why there are no pages of a run."""
    cleaned = ""
    if storage.has_ledger:
        ledger = storage.ledger(only_read=True)
        sealed = {(one.run, one.endpoint): one for one in ledger.collections(tool)}
        ledger.close()
        cleaned = sealed[run, endpoint].cleaned if (run, endpoint) in sealed else ""
    if cleaned:
        return f"the pages of {endpoint} that run {run} kept were cleaned up: they were older than {cleaned}"
    return f'run "{run}" kept no pages of {endpoint}'


def _answer(frame: Frame, registry: Registry) -> Json:
    """What the vendor said, decoded as it was then: no page is needed to look at it."""
    body, coding = frame.body, frame.meta.coding
    if coding:
        body = Chain.read(coding.chain, registry).decode(body, sys.maxsize, coding.charset)
    return json.loads(body) if body.strip() else None


def set_apart(storage: Storage, tool: str, table: str, entry: Mapping[str, Json]) -> pl.LazyFrame:
    """What is set apart of a published table, a row for each reason; with its hidden columns. Raises StorageError."""
    shelf = storage.shelf(tool)
    files = (entry.get("quarantine") or {}).get("files", [])
    return shelf.rows(files, shelf.set_apart) if files else pl.LazyFrame(schema=SCHEMA)


def current_of(storage: Storage, tool: str) -> dict[str, Json]:
    """What is published of a tool. Raises ConfigError where nothing is."""
    current = storage.shelf(tool).current()
    if not current.get("tables"):
        home = storage.root / "processed_data"
        there = sorted(path.name for path in home.iterdir() if path.is_dir()) if home.is_dir() else []
        known = [name for name in there if name != tool]
        fix = f"{storage.root} has tables of: {', '.join(known)}" if known else f"make them first: engine run {tool}"
        raise ConfigError(f"{storage.root} has no tables of {tool}{nearest(tool, known)}", fix)
    return current


def _condition(where: str, rows: pl.LazyFrame, current: Mapping[str, Any]) -> pl.Expr:
    columns = dict(rows.collect_schema())
    constants = {"run.id": current["run"], "run.started_at": read_instant(current["at"])}
    try:
        condition, kind = sql.expression(where, columns, constants)
        if kind != pl.Boolean():
            raise Mistake("sql", "this is neither true nor false", "compare it with something: score > 7")
        return condition
    except Mistake as mistake:
        caret = f"\n  {where}\n  {' ' * mistake.offset}^"
        raise ConfigError(f"--where: {mistake}{caret}", mistake.fix) from None


def _when(run: str) -> str:
    """The time a run began at, from its name."""
    return f"{run[:4]}-{run[4:6]}-{run[6:11]}:{run[11:13]}:{run[13:15]}Z"
