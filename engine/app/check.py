"""A page with mistakes is not begun: what lint calls an error ends a run before the first request."""

from __future__ import annotations

from engine.core.errors import SpecError
from engine.spec.lint import LINTS, TYPED, lint
from engine.spec.read import Source


def check_page(source: Source, *, typed: bool | None = None) -> None:
    """Raise SpecError with all errors that lint finds; `typed` for those that type SQL, which takes longer, or not."""
    lints = [one for one in LINTS if typed is None or typed == (one in TYPED)]
    wrong = [finding for finding in lint(source, lints) if finding.level == "error"]
    if wrong:
        raise SpecError(f"{source.document.file} has mistakes", findings=tuple(wrong))
