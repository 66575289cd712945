"""What a caller may say of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from engine.core.errors import ConfigError, nearest
from engine.core.vendor import Vendor

if TYPE_CHECKING:
    from engine.flow.ledger import Due


class How(TypedDict, total=False):
    """The settings of a run; each may be left out."""

    params: Mapping[str, str] | None
    """Param -> value, as typed behind `-p`; before config.yaml, environment and default."""
    only: Iterable[str]
    """Only these endpoints, with those they are repeated for."""
    vendor: Vendor | None
    """Who is asked in the real vendor's place: `Simulator.of(engine, tool)` of engine.author.simulate."""
    due: Due | None
    """The time that a schedule's run is for."""
    fresh: bool
    """Begin anew, also where a run that was interrupted could go on."""
    replay: str
    """A run: tables and reports are made of what was kept up to it, and nobody is asked."""


def check(how: Mapping[str, object], works: Sequence[str]) -> None:
    """Raise ConfigError for a setting that a run does not have, or not with these works."""
    for name in [name for name in how if name not in How.__annotations__]:
        fix = f"there are {', '.join(How.__annotations__)}"
        if name in ("simulate", "seed"):
            fix = "hand in vendor=Simulator.of(engine, tool, seed=1), of engine.author.simulate"
        raise ConfigError(f'a run has no setting "{name}"{nearest(name, list(How.__annotations__))}', fix)
    if how.get("replay") and "collect" in works:
        raise ConfigError("a replay asks nobody", "leave out what collects, such as a schedule, or the replay")
    if how.get("fresh") and "collect" not in works:
        fix = "leave it out: tables and reports are always made anew from what was kept"
        raise ConfigError("fresh is for what is collected, and nothing is", fix)
