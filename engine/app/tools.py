"""What pages there are, and how the last run of each ended."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from engine.app.config import Config
from engine.core.errors import ConfigError, Finding, Json, SpecError, nearest
from engine.core.registry import Registry
from engine.spec.lint import lint_file
from engine.spec.read import read_page
from engine.spec.yamlfile import read

if TYPE_CHECKING:
    from engine.flow.storage import Storage

TOOL = re.compile(r"""^tool:\s*["']?([^\s"'#]+)""", re.MULTILINE)


def page_of(pages: Path, tool: str | Path) -> Path:
    """The file of a page: a path, the name of a file in the folder of the pages, or its tool. Raises ConfigError."""
    path = Path(tool)
    if path.suffix in (".yaml", ".yml") or "/" in str(tool):
        if not os.path.isfile(path):  # also where its folder may not be entered
            raise ConfigError(f"there is no page at {path}", "give the path of a page, or the name of a tool")
        return path
    place = pages / f"{tool}.yaml"
    if place.is_file():
        return place
    known = {name: page for page, name in _named(pages)}
    if str(tool) in known:
        return known[str(tool)]
    fix = f"the tools are: {', '.join(sorted(known))}" if known else f"there are no pages in {pages}"
    raise ConfigError(f'no tool is called "{tool}"{nearest(str(tool), sorted(known))}', fix)


def strangers(config: Config, pages: Path) -> list[str]:
    """The tools that config.yaml names and that have no page."""
    known = sorted({name for page, tool in _named(pages) for name in (page.stem, tool)})
    words = [(word, tool) for word in ("params", "secrets") for tool in getattr(config, word) if tool not in known]
    return [
        f'config.yaml has {word} of "{tool}", and no page here is of it{nearest(tool, known)}' for word, tool in words
    ]


def lint(page: Path, registry: Registry) -> list[Finding]:
    """What is wrong with a page, and whether its file has another name than its tool."""
    found = lint_file(page, registry)
    tool = _tool(page)
    if not tool or tool == page.stem or any(finding.level == "error" for finding in found):
        return found
    place = read(page).mark(("tool",))
    text = f'the tool is "{tool}" and its file "{page.name}": storage and show know it as {tool}'
    return [Finding(place, "file-name", text, f"call the file {tool}.yaml", "warning"), *found]


def _named(pages: Path) -> list[tuple[Path, str]]:
    """Each page with the tool it is of."""
    return [(page, _tool(page) or page.stem) for page in sorted(pages.glob("*.yaml"))]


def _tool(page: Path) -> str:
    """The tool of a page, seen without reading it wholly; an empty text where it is not plain to see."""
    found = TOOL.search(page.read_text(encoding="utf-8-sig", errors="replace"))
    return found[1] if found else ""


def overview(page: Path, registry: Registry, storage: Storage) -> dict[str, Json]:
    """One tool; a page with mistakes has only its count of mistakes."""
    found: dict[str, Json] = {"tool": page.stem, "page": str(page)}
    try:
        pipeline = read_page(page, registry).pipeline
    except SpecError as error:
        return {**found, "mistakes": len(error.findings) or 1}
    return {
        **found,
        "tool": pipeline.tool,
        "title": pipeline.title or pipeline.tool,
        "endpoints": len(pipeline.endpoints),
        "tables": len(pipeline.tables),
        "last_run": _last_run(storage, pipeline.tool),
    }


def _last_run(storage: Storage, tool: str) -> dict[str, Json] | None:
    """The newest run; asking for it does not make a ledger where there is none."""
    if not storage.has_ledger:
        return None
    from engine.app.history import status_of

    ledger = storage.ledger(only_read=True)
    try:
        last = ledger.newest(tool)
        status = status_of(storage, ledger, last) if last else ""
    finally:
        ledger.close()
    return {"run": last.run, "status": status, "started_at": last.started_at} if last else None
