"""What a run left behind, as digests: tables, quarantine, reports, kept pages, sealed collections and marks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.app.sealed import is_sealed
from engine.core.errors import ConfigError, Json, StorageError

if TYPE_CHECKING:
    from engine.app import Engine

HOMES = ("processed_data", "quarantine", "reports")
TIMES = "run.json"
"""The report of the run itself, which says how long it took."""
OF_FILES = ("sha256", "bytes")
"""What is said of a file that is encrypted differs each time, as its key does."""


def left(engine: Engine, tool: str) -> dict[str, str]:
    """Name -> digest of everything that must be the same however often the run was killed."""
    found = dict(_files(engine, tool))
    found |= {f"kept pages of {name}": _of(pages) for name, pages in _pages(engine, tool)}
    found |= _noted(engine, tool) if engine.storage.has_ledger else {}
    return found


def different(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The names whose digests are not the same, in order."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def _files(engine: Engine, tool: str) -> Iterator[tuple[str, str]]:
    """Every file of the outputs, byte for byte; an encrypted one as it was before."""
    root = Path(engine.config.storage)
    for home in HOMES:
        for place in sorted((root / home / tool).rglob("*")):
            if place.is_file() and place.name.removesuffix(".enc") != TIMES:
                content = _opened(engine, tool, place) if engine.storage.seal.is_on else place.read_bytes()
                yield str(place.relative_to(root)), hashlib.sha256(content).hexdigest()


def _opened(engine: Engine, tool: str, place: Path) -> bytes:
    if place.suffix == ".parquet":
        said = {"path": place.name, "bytes": place.stat().st_size}
        content = BytesIO()
        engine.storage.shelf(tool).rows([said], place.parent).collect().rechunk().write_ipc(content)
        return content.getvalue()
    content_of_file = place.read_bytes()
    if not is_sealed(content_of_file):  # a report that the page exempts, or the names of the newest
        return content_of_file
    content_of_file = engine.storage.seal.read(place)
    if place.suffix != ".json" or place.parts[-3] == "reports":
        return content_of_file
    return json.dumps(_without(json.loads(content_of_file))).encode()


def _without(value: Any) -> Any:
    """JSON without what is said of encrypted files."""
    if isinstance(value, dict):
        return {name: _without(one) for name, one in value.items() if name not in OF_FILES}
    return [_without(one) for one in value] if isinstance(value, list) else value


def _noted(engine: Engine, tool: str) -> dict[str, str]:
    """The sealed collections and the marks in the ledger."""
    ledger = engine.storage.ledger(only_read=True)
    try:
        sealed = [[c.run, c.endpoint, c.pages, c.rows, c.missing, c.skipped] for c in ledger.collections(tool)]
    finally:
        ledger.close()
    with suppress(ConfigError):  # nothing was kept of it
        return {"sealed collections": _of(sealed), "marks": _of(engine.state(tool))}
    return {}


def _pages(engine: Engine, tool: str) -> Iterator[tuple[str, Json]]:
    """Endpoint -> run, unit, number, request and body of each page that is read when tables are made."""
    store = engine.storage.store(tool)
    for endpoint in store.endpoints():
        try:
            yield (
                endpoint,
                [
                    [run, unit, number, frame.meta.request, hashlib.sha256(frame.body).hexdigest(), frame.meta.skip]
                    for run in store.runs(endpoint)
                    for unit, frames in store.units(endpoint, run)
                    for number, frame in enumerate(frames)
                ],
            )
        except StorageError as error:
            yield endpoint, str(error)


def _of(value: Json) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
