"""What is written down of an endpoint when it begins and of its units when they end, and read when its run goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace

from engine.core import jsontext
from engine.core.clock import read_instant, rfc3339
from engine.core.errors import CollectionError, Json, Mark
from engine.core.kinds import Cursor
from engine.flow.kept import windows_as_json, windows_of
from engine.flow.ledger import Collection, Ledger, UnitRecord
from engine.flow.sweep import Progress, Sweep
from engine.flow.units import State, Unit

UNDER_WAY = "running"
Written = tuple[State, list[Unit], dict[str, Progress]]
"""What was known when an endpoint began, its units, and how far those came that ended."""


def written(ledger: Ledger, run: str, endpoint: str) -> Written | None:
    """What is written down of an endpoint of a run; None where it had not begun."""
    found = ledger.sweep(run, endpoint)
    if found is None or found[0] is None:
        return None
    said, records = found
    units = [_unit(endpoint, record) for record in records]
    ended = {one.unit: progress_of(one.progress or {}, one.cursor) for one in records if one.status != UNDER_WAY}
    return _state(said, units), units, ended


# --- units


def as_written(sweep: Sweep) -> tuple[Json, Iterable[UnitRecord]]:
    """What the ledger keeps of an endpoint that begins: its state, and its units in their order."""
    known = sweep.ended
    units = (ended(one, known[one.name]) if one.name in known else begun(one) for one in sweep.units)
    return state_as_json(sweep.state, sweep.units), units


def begun(unit: Unit) -> UnitRecord:
    """What the ledger keeps of a unit that is to be asked for."""
    plan: dict[str, Json] = {}
    if unit.window:
        plan["window"] = windows_as_json([unit.window])[0]
    if unit.changed is not None:
        plan["changed"] = unit.changed
    if unit.members:
        plan["members"] = list(unit.members)
    return UnitRecord(unit.name, jsontext.plain(unit.binding), plan=plan)


def ended(unit: Unit, progress: Progress) -> UnitRecord:
    """What the ledger keeps of a unit that ended."""
    status = "incomplete" if progress.missing else "skipped" if progress.skipped else "succeeded"
    note = progress.missing or "; ".join(progress.skipped)
    return replace(
        begun(unit),
        pages=progress.pages,
        rows=progress.rows,
        cursor=progress.cursor,
        status=status,
        note=note,
        progress=progress_as_json(progress),
    )


def _unit(endpoint: str, record: UnitRecord) -> Unit:
    plan = record.plan or {}
    window = windows_of([plan.get("window")])[0]
    partition = record.unit.partition("-")[2]
    members = tuple(plan.get("members", ()))
    return Unit(endpoint, record.unit, partition, record.binding, window, plan.get("changed"), members)


# --- how far a unit came


def progress_as_json(progress: Progress) -> dict[str, Json]:
    """How far it came, without what is the same for most units."""
    failure = progress.failure
    found: dict[str, Json] = {
        "pages": progress.pages,
        "rows": progress.rows,
        "greatest": progress.greatest and rfc3339(progress.greatest),
        "unordered": not progress.in_order,
        "request": progress.request,
        "sweep": progress.sweep,
        "missing": progress.missing,
        "failure": failure and _failure(failure),
        "skipped": progress.skipped,
        "stops": progress.stops,
        "stale": progress.stale,
        "before": any(progress.before) and list(progress.before),
    }
    return {name: value for name, value in found.items() if value}


def progress_of(said: Mapping[str, Json], cursor: Cursor = None) -> Progress:
    """How far it came, as it was written down."""
    failure = said.get("failure")
    pages, rows = said.get("before", (0, 0))
    return Progress(
        pages=said.get("pages", 0),
        rows=said.get("rows", 0),
        cursor=cursor,
        greatest=read_instant(said["greatest"]) if "greatest" in said else None,
        in_order=not said.get("unordered"),
        request=said.get("request", ""),
        sweep=said.get("sweep", 0),
        missing=said.get("missing", ""),
        failure=_failed(*failure) if failure else None,
        skipped=list(said.get("skipped", ())),
        stops=said.get("stops", ""),
        stale=said.get("stale", False),
        before=(pages, rows),
    )


def _failure(error: CollectionError) -> list[Json]:
    return [error.message, error.fix, jsontext.plain(dict(error.context)), error.mark and asdict(error.mark)]


def _failed(message: str, fix: str, context: Json, mark: Json = None) -> CollectionError:
    """What made a unit missing; an older engine did not write down its mark."""
    return CollectionError(message, fix, Mark(**mark) if mark else None, context)


# --- what is known of an endpoint when it begins


def state_as_json(state: State, units: Iterable[Unit]) -> Json:
    """All that its marks need in the end; a binding that a unit has is not written twice."""
    of_units = {unit.partition: unit.binding for unit in units}
    listed = [
        [partition, None if of_units.get(partition) is binding else jsontext.plain(binding)]
        for partition, binding in state.listed.items()
    ]
    found: dict[str, Json] = {
        "read": state.read,
        "changed": state.changed,
        "listed": listed,
        "begun": state.begun,
        "notes": state.notes,
        "basis": state.basis,
        "told": state.told,
        "key": state.key,
        "unread": state.unread,
    }
    return {name: value for name, value in found.items() if value}


def _state(said: Mapping[str, Json], units: Sequence[Unit]) -> State:
    of_units = {unit.partition: unit.binding for unit in units}
    listed = {name: of_units[name] if binding is None else binding for name, binding in said.get("listed", ())}
    return State(
        read=said.get("read", {}),
        changed=said.get("changed", {}),
        listed=listed,
        begun=said.get("begun", {}),
        notes=said.get("notes", []),
        basis=said.get("basis", ""),
        told=said.get("told", []),
        key=said.get("key", ""),
        unread=said.get("unread", []),
    )


# --- runs that complete others


def chain(sealed: Sequence[Collection], last: Collection) -> list[str]:
    """The runs that together hold what an endpoint has: the last one, behind those whose gaps it fills."""
    known = {one.run: one for one in sealed if one.endpoint == last.endpoint}
    found = [last.run]
    while last.completes:
        found.insert(0, last.completes)
        if last.completes not in known:
            break
        last = known[last.completes]
    return found
