"""What pages there are, and how the last run of each ended."""

from __future__ import annotations

from pathlib import Path

from engine.core.errors import Json, SpecError
from engine.core.registry import Registry
from engine.spec.read import read_page


def overview(page: Path, registry: Registry, storage: Path) -> dict[str, Json]:
    """One tool; a page with mistakes has only its count of mistakes."""
    found: dict[str, Json] = {"tool": page.stem, "page": str(page)}
    try:
        pipeline = read_page(page, registry).pipeline
    except SpecError as error:
        return {**found, "mistakes": len(error.findings) or 1}
    return {
        **found,
        "title": pipeline.title or pipeline.tool,
        "endpoints": len(pipeline.endpoints),
        "tables": len(pipeline.tables),
        "last_run": _last_run(storage, pipeline.tool),
    }


def _last_run(storage: Path, tool: str) -> dict[str, Json] | None:
    """The newest run; asking for it does not make a ledger where there is none."""
    place = storage / "engine.db"
    if not place.is_file():
        return None
    from engine.flow.ledger import Ledger

    ledger = Ledger(place)
    try:
        last = ledger.last_run(tool)
    finally:
        ledger.close()
    return {name: last[name] for name in ("run", "status", "started_at")} if last else None
