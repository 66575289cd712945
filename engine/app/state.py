"""How far each endpoint of a tool was read: the marks in the ledger, for people, and how to forget them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from engine.core import jsontext
from engine.core.errors import ConfigError, Json, SpecError, nearest
from engine.flow.lease import held
from engine.flow.ledger import OPEN, Ledger, Mark, RunRecord
from engine.flow.resume import overtaken, unfinished
from engine.flow.storage import Storage
from engine.spec.collect import Endpoint
from engine.spec.model import Pipeline


def state(storage: Storage, tool: str) -> list[dict[str, Json]]:
    """The marks of a tool: endpoint, parent, until when it was read or the value it was asked at, since when.

    Raises ConfigError where there is none.
    """
    if not storage.has_ledger:
        raise _nothing(storage, tool)
    ledger = storage.ledger(only_read=True)
    try:
        marks = ledger.marks(tool)
    finally:
        ledger.close()
    if not marks:
        raise _nothing(storage, tool)
    return [
        {
            "endpoint": mark.endpoint,
            "parent": words(mark.binding),
            "binding": dict(mark.binding),
            "partition": mark.partition,
            "read_until": (mark.value or None) if mark.kind == "window" else None,
            "changed": (mark.value or None) if mark.kind == "changed" else None,
            "since": mark.at or None,
        }
        for mark in marks
    ]


def reset(
    storage: Storage, tool: str, endpoint: str, parent: str | None, pipeline: Callable[[], Pipeline]
) -> dict[str, Json]:
    """Forget how far an endpoint was read, of all its parents or one; gives what was forgotten and what comes of it.

    A run that was interrupted, or is incomplete, does not go on behind it: it would read on where it was.
    Raises ConfigError for what is not there, StorageError while a run of the tool goes on.
    """
    page: Pipeline | None = None
    with suppress(ConfigError, SpecError):  # a tool may have no page any more
        page = pipeline()
    if not storage.has_ledger:
        raise _nothing(storage, tool)
    ledger = storage.ledger()
    try:
        with held(storage.root, ledger, tool):
            # read from its start again, it needs no pages that were cleaned up
            again = parent is None and ledger.forget_cleaned(tool, endpoint)
            marks = ledger.marks(tool)
            known = not again or any(mark.endpoint == endpoint for mark in marks)
            chosen = _chosen(marks, tool, endpoint, parent, page) if known else []
            over = _give_up(ledger, tool)
            ledger.reset(tool, endpoint, {mark.partition for mark in chosen})
    finally:
        ledger.close()
    said = page.endpoints.get(endpoint) if page else None
    parents = [*dict.fromkeys(words(mark.binding) for mark in chosen if mark.binding)]
    told = {"endpoint": endpoint, "parents": parents, "forgotten": len(chosen), "abandoned": over}
    return {**told, "next": _next(endpoint, said)}


def words(binding: Json) -> str:
    """A partition in words, as reports name it; an empty text where the endpoint is repeated for nothing."""
    return ", ".join(f"{alias} {jsontext.canonical(value)}" for alias, value in binding.items())


def _give_up(ledger: Ledger, tool: str) -> list[str]:
    """Abandon every run that could go on and move marks; gives those, oldest first."""
    runs = [one for one in ledger.runs(tool) if "collect" in one.work]
    over = [one.run for one in runs if one.status in OPEN or (one.status == "incomplete" and _is_open(ledger, one))]
    for run in over:
        ledger.abandon(run)
    return sorted(over)


def _is_open(ledger: Ledger, one: RunRecord) -> bool:
    """Whether an incomplete run can still be completed."""
    return bool(unfinished(ledger, one.tool, one.run)) and overtaken(ledger, one.tool, one.run) is None


def _chosen(marks: list[Mark], tool: str, endpoint: str, parent: str | None, page: Pipeline | None) -> list[Mark]:
    known = list(dict.fromkeys(mark.endpoint for mark in marks))
    mine = [mark for mark in marks if mark.endpoint == endpoint]
    if not mine:
        there = page is not None and endpoint in page.endpoints
        text = f'nothing is kept of how far "{endpoint}" was read' if there else f'{tool} has no endpoint "{endpoint}"'
        fix = f"kept is the state of: {', '.join(known)}" if known else "collect first: nothing is kept yet"
        raise ConfigError(text + ("" if there else nearest(endpoint, known)), fix)
    found = [mark for mark in mine if parent is None or parent in _names(mark)]
    if not found:
        some = [name for mark in mine for name in _names(mark)]
        fix = f"engine state {tool} lists them; give one of its values, such as the id"
        raise ConfigError(f'no parent of {endpoint} is called "{parent}"{nearest(str(parent), some)}', fix)
    return found


def _names(mark: Mark) -> list[str]:
    """What a partition may be called: its words, its hash, or any value of its parents."""
    return [*_values(mark.binding), words(mark.binding), mark.partition]


def _values(value: Json) -> Iterator[str]:
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _values(one)
    elif value is not None:
        yield str(value)


def _next(name: str, endpoint: Endpoint | None) -> str:
    if endpoint is None:
        return f"the next collection reads {name} anew"
    incremental = endpoint.incremental
    since = f" from {incremental.start} on" if incremental else ""
    return f"the next collection reads {name}{since or ' for each of these parents, whether their value moved or not'}"


def _nothing(storage: Storage, tool: str) -> ConfigError:
    fix = "it is kept of endpoints with incremental or when_changed, once they were collected"
    return ConfigError(f"{storage.root} has no state of {tool}", fix)
