"""Errors for machines: one JSON record each in `<storage>/logs/errors.jsonl`."""

from __future__ import annotations

import fcntl
import json
import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from engine.core.clock import read_instant, rfc3339
from engine.core.errors import EngineError, Json, SpecError
from engine.flow.seal import PLAIN, Seal
from engine.flow.writing import writing

FILE = Path("logs", "errors.jsonl")
SEALED = "sealed"
"""In an encrypted storage the field that holds the whole record; `OPEN` stands beside it as it is."""
OPEN = ("error_id", "timestamp", "error_code")


def record(error: BaseException, *, at: datetime, context: Mapping[str, Json]) -> dict[str, Json]:
    """What is known of an error; a defect carries its stack trace."""
    known = isinstance(error, EngineError)
    where = _where(error)
    found: dict[str, Json] = {
        "error_id": vars(error).setdefault("error_id", _new_id()),  # a defect keeps it too, for whoever tells of it
        "timestamp": rfc3339(at),
        "error_code": error.code if isinstance(error, EngineError) else "defect",
        "message": error.message if isinstance(error, EngineError) else f"{type(error).__name__}: {error}",
        "context": {**context, **(dict(error.context) if isinstance(error, EngineError) else {}), **where},
    }
    if isinstance(error, EngineError) and error.fix:
        found["fix"] = error.fix
    if isinstance(error, EngineError) and error.mark:
        found["place"] = str(error.mark)
    if isinstance(error, SpecError) and error.findings:
        found["findings"] = [finding.as_json() for finding in error.findings]
    if not known:
        found["stack_trace"] = "".join(traceback.format_exception(error))
        found["original_exception"] = type(error).__name__
    return found


def keep(root: Path, error: BaseException, *, at: datetime, context: Mapping[str, Json], seal: Seal = PLAIN) -> None:
    """Write the record of an error, and note in it where that stands."""
    vars(error)["record"] = record(error, at=at, context=context)
    vars(error)["recorded"] = root / FILE if write(root, vars(error)["record"], seal) else None


def note(root: Path, error: BaseException, context: Mapping[str, Json]) -> tuple[str, Path | None]:
    """The error_id of a defect and the file of its record, if it could be written; once for each error."""
    if "recorded" not in vars(error):
        keep(root, error, at=datetime.now(UTC), context=context)
    return vars(error)["error_id"], vars(error)["recorded"]


def entry(error: BaseException, context: Mapping[str, Json]) -> dict[str, Json]:
    """The record of an error, as it was written where it was."""
    found: dict[str, Json] = vars(error).get("record") or record(error, at=datetime.now(UTC), context=context)
    return found


def wants_trace() -> bool:
    """Whether a defect shall print its stack trace."""
    return bool(os.environ.get("ENGINE_DEBUG"))


def write(root: Path, entry: Mapping[str, Any], seal: Seal = PLAIN) -> bool:
    """Append a record, if that can be: a storage that cannot be written must not hide the error itself.

    In an encrypted storage nothing is written without its key, for a message may quote what the vendor said.
    """
    place = root / FILE
    try:
        if not seal.is_on and '"encryption"' in (root / "storage.json").read_text():
            return False
    except (OSError, ValueError):
        pass  # a storage that is not there yet, or is damaged
    if seal.is_on:
        whole = json.dumps(entry, ensure_ascii=False, default=str)
        entry = {**{name: entry[name] for name in OPEN}, SEALED: seal.text(whole, SEALED)}
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _held(place) as file:
            file.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")
    except OSError:
        return False
    return True


def forget(root: Path, before: datetime) -> int:
    """Take the records out of the log that are older than this; gives how many those were."""
    place = root / FILE
    if not place.exists():
        return 0
    with _held(place) as file:
        lines = file.readlines()
        young = [line for line in lines if not _is_before(line, before)]
        if len(young) < len(lines):
            with writing(place) as temporary:
                temporary.write_text("".join(young))
    return len(lines) - len(young)


def _is_before(line: str, before: datetime) -> bool:
    with suppress(ValueError, KeyError, TypeError):  # what cannot be read stays
        return read_instant(json.loads(line)["timestamp"]) < before
    return False


@contextmanager
def _held(place: Path) -> Iterator[IO[str]]:
    """The log, to be read from its beginning and added to; nobody else does either meanwhile."""
    while True:
        with place.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not place.exists() or not os.path.samestat(os.fstat(file.fileno()), place.stat()):
                continue  # another one took its place meanwhile
            file.seek(0)
            yield file
            return


def _where(error: BaseException) -> dict[str, Json]:
    """The function, file and line of the engine that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return {}
    last = frames[-1]
    file = last.filename
    short = file[file.rindex("engine/") :] if "engine/" in file else Path(file).name
    return {"function": last.name, "file": short, "line": last.lineno}


def _new_id() -> str:
    import uuid

    return str(uuid.uuid4())
