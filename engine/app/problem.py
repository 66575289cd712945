"""An error as one readable block for a person: place, message, the line of the page with a caret, the mend."""

from __future__ import annotations

from pathlib import Path

from engine.core.errors import EngineError, Finding, Mark, SpecError


def block(error: EngineError) -> str:
    """The block; a page with several mistakes has one for each, with an empty line between them."""
    if isinstance(error, SpecError) and error.findings:
        return "\n\n".join(finding.as_text() for finding in error.findings)
    if error.mark:
        found = Finding(error.mark, error.code, error.message, error.fix, source=_line(error.mark))
        return found.as_text()
    return f"{error.code} error: {error.message}" + (f"\n  mend: {error.fix}" if error.fix else "")


def _line(mark: Mark) -> str:
    """The line of the page; empty where the page has changed or gone since."""
    try:
        lines = Path(mark.file).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError):
        return ""
    return lines[mark.line - 1] if mark.line <= len(lines) else ""
