"""The runs that were: how each ended, how far it came, which of them can go on, and how one is ended for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.clock import Clock, read_instant, rfc3339
from engine.core.errors import ConfigError, Json, StorageError, nearest
from engine.flow.lease import held, holder
from engine.flow.ledger import OPEN, Collection, Due, Ledger, RunRecord, UnitRecord
from engine.flow.resume import overtaken, unfinished
from engine.flow.storage import Storage

if TYPE_CHECKING:
    from engine.flow.report import Result

LATEST = "latest"
LOOK_SECONDS = 0.1
"""How often it is looked whether a run that was asked to end has ended."""
OVER = ("abandoned", "cancelled", "failed")
"""The status of a run that neither goes on nor can be completed."""
WHOLE = "whole"
ENDED = ("succeeded", "skipped", "incomplete")
"""The status of a unit that has ended."""


def status_of(storage: Storage, ledger: Ledger, one: RunRecord) -> str:
    """How a run is: one that nobody is at was interrupted, or cancelled, before it could say so."""
    if one.status not in OPEN:
        return one.status
    if one.status == "running" and (lease := holder(storage.root, ledger, one.tool)) and lease.run == one.run:
        return "running"
    return "cancelled" if one.cancel else "interrupted"


def find(ledger: Ledger, text: str, tool: str = "") -> RunRecord:
    """The run of this name, the only one that begins so, or the latest. Raises ConfigError."""
    if text == LATEST and (latest := ledger.runs(tool, 1)):
        return latest[0]
    every = ledger.runs(tool)
    found = [one for one in every if one.run == text] or [one for one in every if text and one.run.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        text = f'{len(found)} runs begin with "{text}"'
        raise ConfigError(text, f"write more of the name: {', '.join(one.run for one in found[:3])}")
    of = f" of {tool}" if tool else ""
    near = nearest(text, [one.run for one in every])
    fix = (
        f"the latest is {every[0].run} of {every[0].tool}; engine runs lists them" if every else "nothing ever ran here"
    )
    raise ConfigError(f'no run{of} is called "{text}"{near}', fix)


def runs(storage: Storage, tool: str = "", limit: int | None = None) -> list[dict[str, Json]]:
    """The runs of a tool or of all, newest first."""
    if not storage.has_ledger:
        return []
    with _reading(storage) as ledger:
        every = ledger.runs(tool, limit)
        sealed = {name: _by_run(ledger, name) for name in {one.tool for one in every}}
        return [_told(storage, ledger, one, sealed[one.tool].get(one.run, [])) for one in every]


def record(storage: Storage, text: str, tool: str = "") -> dict[str, Json]:
    """One run with its endpoints, what is missing of each, and the run that completes it. Raises ConfigError."""
    with _reading(storage) as ledger:
        one = find(ledger, text, tool)
        sealed = _by_run(ledger, one.tool).get(one.run, [])
        told = _told(storage, ledger, one, sealed)
        mine = {each.endpoint: each for each in sealed}
        return {
            **told,
            "page": (one.asked or {}).get("page"),
            "page_hash": one.page_hash,
            "only": (one.asked or {}).get("only", []),
            "seed": (one.asked or {}).get("seed"),
            "endpoints": [
                _endpoint(storage, ledger, one, name, mine.get(name)) for name in _names(ledger, one, sealed)
            ],
            "completed_by": [each.run for each in ledger.runs(one.tool) if _completes(each, one)],
            "notes": (one.result or {}).get("notes", []),
        }


def resumable(storage: Storage, text: str) -> tuple[RunRecord, str]:
    """The run to go on with where this one shall go on, and how it is: itself, or the newest that completes it.

    It is "whole" where what it was missing has been collected since. Raises ConfigError where it does not go on.
    """
    with _reading(storage) as ledger:
        one = find(ledger, text)
        later = [each for each in ledger.runs(one.tool) if each.completes and each.status not in OVER]
        while newer := [each for each in later if each.completes == one.run]:
            one = newer[0]
        status = status_of(storage, ledger, one)
        if status == "incomplete" and "collect" in one.work and not unfinished(ledger, one.tool, one.run):
            status = WHOLE
        if status == "incomplete":
            must_be_newest(ledger, one)
    again = f"begin anew: engine {'run' if '+' in one.work else one.work} {one.tool}"
    if status == "running":
        fix = f"wait until it has ended, or end it: engine cancel {one.run}"
        raise ConfigError(f"run {one.run} of {one.tool} is going on", fix)
    if status in OVER:
        given_up = "a newer run began in its place, or its state was reset"
        why = given_up if status == "abandoned" else f"it {status}"
        raise ConfigError(f"run {one.run} of {one.tool} does not go on: {why}", again)
    if status in ("interrupted", "incomplete") and "collect" not in one.work:
        raise ConfigError(f"run {one.run} of {one.tool} collects nothing, so there is nothing to go on behind", again)
    if status in ("interrupted", "incomplete") and not one.asked:
        raise ConfigError(f"run {one.run} of {one.tool} was begun by an older engine", again)
    return one, status


def must_be_newest(ledger: Ledger, one: RunRecord) -> None:
    """Raise ConfigError where an incomplete run cannot be completed: a newer one collected the same."""
    if (found := overtaken(ledger, one.tool, one.run)) is None:
        return
    newer = ledger.run(found[0])
    others = newer is not None and newer.status in (*OPEN, "incomplete")
    fix = f"collect anew: engine run {one.tool}"
    text = f"run {one.run} cannot be completed: run {found[0]} collected {found[1]} since then"
    raise ConfigError(text, f"go on with that one: engine resume {found[0]}; or {fix}" if others else fix)


def replayed(storage: Storage, text: str, tool: str) -> str:
    """The run of a tool from whose kept pages tables can be made. Raises ConfigError."""
    with _reading(storage) as ledger:
        one = find(ledger, text, tool)
        if any(each.run <= one.run for each in ledger.collections(tool)):
            return one.run
    raise ConfigError(f"nothing was collected by run {one.run} or before it", f"collect first: engine run {tool}")


def nothing_missing(storage: Storage, one: RunRecord) -> Result:
    """What there is to say of a run that is whole."""
    from engine.flow.report import Result  # with Polars, which whoever looks at runs alone does not need

    notes = [f"nothing is missing of run {one.run}: there is nothing to go on with"]
    return Result(one.tool, "", read_instant(one.started_at), one.simulated, notes=notes, storage=str(storage.root))


def cancel(storage: Storage, text: str, clock: Clock) -> dict[str, Json]:
    """End a run for good, wherever it is going on: gives it as it is then, with `was`, its status before.

    Raises ConfigError, and StorageError where another run of its tool is going on.
    """
    if not storage.has_ledger:
        raise _nothing(storage)
    ledger = storage.ledger()
    try:
        one = find(ledger, text)
        was = status_of(storage, ledger, one)
        if was == "running":
            ledger.ask_cancel(one.run)
            while status_of(storage, ledger, one := _again(ledger, one)) == "running":
                clock.wait(LOOK_SECONDS)
        if one.status in OPEN:
            _end(storage, ledger, one, rfc3339(clock.instant()))
        return {**_told(storage, ledger, _again(ledger, one), _by_run(ledger, one.tool).get(one.run, [])), "was": was}
    finally:
        ledger.close()


def _again(ledger: Ledger, one: RunRecord) -> RunRecord:
    return ledger.run(one.run) or one


def _end(storage: Storage, ledger: Ledger, one: RunRecord, now: str) -> None:
    """Note a run as cancelled that nobody is at any more, and that the times it was for are done."""
    with held(storage.root, ledger, one.tool):
        ledger.end_run(one.run, status="cancelled", ended_at=now, result=one.result)
        if one.schedule:
            at = read_instant(now).replace(microsecond=0)
            ledger.take(Due(one.tool, one.schedule, at), status="cancelled", ended_at=now, run=one.run)


# --- words


def _completes(each: RunRecord, one: RunRecord) -> bool:
    """Whether a run fills the gaps of another: one that is over before its end does not."""
    return each.completes == one.run and each.status not in (*OPEN, *OVER)


def _by_run(ledger: Ledger, tool: str) -> dict[str, list[Collection]]:
    """Run -> the endpoints that it sealed."""
    found: dict[str, list[Collection]] = {}
    for one in ledger.collections(tool):
        found.setdefault(one.run, []).append(one)
    return found


def _told(storage: Storage, ledger: Ledger, one: RunRecord, mine: Sequence[Collection]) -> dict[str, Json]:
    status, result = status_of(storage, ledger, one), one.result or {}
    names = _names(ledger, one, mine)
    begun = [name for name in names if name not in {each.endpoint for each in mine}] if one.status in OPEN else []
    under_way = [unit for name in begun for unit in _units(ledger, one.run, name)]
    return {
        "run": one.run,
        "tool": one.tool,
        "works": one.work.split("+"),
        "status": status,
        "simulated": one.simulated,
        "schedule": one.schedule or None,
        "completes": one.completes or None,
        "replays": one.replays or None,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "beat_at": one.beat_at,
        "took_seconds": result.get("duration_seconds"),
        "endpoints_done": len(mine),
        "endpoints_planned": len(names),
        "pages": sum(each.pages for each in mine) + sum(_kept(storage, one, name) for name in begun),
        "records": sum(each.rows for each in mine) + sum(unit.rows for unit in under_way),
        "rows": result.get("records_processed", 0),
        "missing": sum(len(each.missing) for each in mine),
    }


def _names(ledger: Ledger, one: RunRecord, sealed: Sequence[Collection]) -> list[str]:
    """The endpoints of a run in the order of its plan; of one that completes another those that it asks."""
    mine = [each.endpoint for each in sealed]
    if "collect" not in one.work:
        return []
    planned = (one.asked or {}).get("endpoints", mine)
    if one.completes:
        planned = [name for name in planned if name in mine or ledger.sweep(one.run, name)]
    return [*planned, *(name for name in mine if name not in planned)]


def _endpoint(
    storage: Storage, ledger: Ledger, one: RunRecord, name: str, sealed: Collection | None
) -> dict[str, Json]:
    units = _units(ledger, one.run, name)
    state = "not begun" if not units and sealed is None else "under way"
    if sealed is not None:
        state = "complete" if sealed.complete else "incomplete"
    return {
        "endpoint": name,
        "state": state,
        "units": len(units),
        "units_done": sum(unit.status in ENDED and unit.status != "incomplete" for unit in units),
        "units_missing": sum(unit.status == "incomplete" for unit in units),
        "pages": sealed.pages if sealed else _kept(storage, one, name),
        "records": sealed.rows if sealed else sum(unit.rows for unit in units),
        "missing": list(sealed.missing) if sealed else [],
        "skipped": list(sealed.skipped) if sealed else [],
    }


def _kept(storage: Storage, one: RunRecord, endpoint: str) -> int:
    """How many pages a run kept of an endpoint that has not ended; of what is damaged those before it."""
    found = 0
    with suppress(OSError, StorageError):
        for place in storage.store(one.tool).heads(endpoint, one.run):
            found += not (place[2].aside or place[2].settles)
    return found


def _units(ledger: Ledger, run: str, endpoint: str) -> list[UnitRecord]:
    found = ledger.sweep(run, endpoint)
    return found[1] if found else []


@contextmanager
def _reading(storage: Storage) -> Iterator[Ledger]:
    """The ledger, for looking only. Raises ConfigError where nothing ever ran."""
    if not storage.has_ledger:
        raise _nothing(storage)
    ledger = storage.ledger(only_read=True)
    try:
        yield ledger
    finally:
        ledger.close()


def _nothing(storage: Storage) -> ConfigError:
    return ConfigError(
        f"nothing ever ran in {storage.root}", "run a page first, or name another storage with --storage"
    )


def last_page(storage: Storage, tool: str) -> Path | None:
    """The page of a tool's newest run, where it is still there."""
    if not storage.has_ledger:
        return None
    ledger = storage.ledger(only_read=True)
    try:
        newest = ledger.newest(tool, collecting=False)
    finally:
        ledger.close()
    place = Path((newest.asked or {}).get("page", "")) if newest else Path()
    return place if place.is_file() else None
