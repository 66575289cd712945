"""A storage as one file, also while runs go on in it, and a storage made of such a file.

What a backup holds is read in this order, so that a storage made of it loses nothing and repeats nothing:

1. what is current of each tool, the newest reports and the versions (`current.json`, `latest.json`, `versions/`):
   they name files that are there already and never change;
2. the ledger, at one moment. It is newer than what is current, so that it knows of every collection from which tables
   were made; those it knows beyond that are processed next;
3. the files. Segments hold at least the pages that the ledger knows of, since a page is kept before it is noted. What
   came after that moment (a later run, or a later holder of the same run) is left out: there it never happened.

Nobody cleans up meanwhile.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from engine.core import commit
from engine.core.clock import rfc3339
from engine.core.errors import ConfigError, Json, StorageError
from engine.flow import archive
from engine.flow.gone import keeping
from engine.flow.ledger import OPEN, Ledger, RunRecord
from engine.flow.raw import frame_at, heads
from engine.flow.storage import Storage, must_fit
from engine.flow.store import fence_of
from engine.flow.tied import FILE, WORD
from engine.flow.writing import sync_folder

SAID = "storage.json"
PIECE = 1 << 20


@dataclass(frozen=True)
class Backup:
    """Makes one backup of a storage."""

    storage: Storage
    pack: archive.Packer
    runs: Mapping[str, RunRecord]
    """The runs that the ledger knew at its moment."""
    pinned: Mapping[str, bytes]
    """What was current then: path -> content."""
    notes: list[str] = field(default_factory=list)
    """What is wrong with the storage, in words."""

    def fill(self, ledger: Path) -> None:
        """Put everything in."""
        for name, content in self.pinned.items():
            self.pack.text(name, content)
        self._ledger(ledger)
        self._tables()
        for room, ended in (("quarantine", True), ("reports", False)):
            self._made(room, ended=ended)
        self._raw()
        self._logs()

    def _ledger(self, ledger: Path) -> None:
        with tempfile.TemporaryFile(dir=ledger.parent) as sealed, ledger.open("rb") as file:
            sealed.writelines(self.storage.seal.pack(iter(lambda: file.read(PIECE), b""), self.storage.root / FILE))
            size = sealed.tell()
            sealed.seek(0)
            self.pack.add(FILE, sealed, size)

    def _tables(self) -> None:
        """The files that the versions name, each once."""
        seen = set[str]()
        for name, said in self._versions():
            home = Path(name).parts[:2]
            for entry in said.get("tables", {}).values():
                for file in (*entry["files"], *entry["base"]):
                    path = "/".join((*home, file["path"]))
                    if path not in seen:
                        seen.add(path)
                        self._file(path, file["sha256"])

    def _versions(self) -> Iterator[tuple[str, dict[str, Json]]]:
        for name, content in self.pinned.items():
            if name.startswith("processed_data/"):
                place = self.storage.root / name
                yield name, json.loads(b"".join(self.storage.seal.unpack(io.BytesIO(content), place)))

    def _made(self, room: str, *, ended: bool) -> None:
        """What runs made otherwise, of those that were over where `ended`: one that goes on makes it anew."""
        for place in self._files(room, "*/*/*/*" if room == "quarantine" else "*/*/*"):
            record = self.runs.get(place.parent.name)
            over = record is not None and record.status not in OPEN
            if record and (
                over or not ended or f"processed_data/{record.tool}/versions/{record.run}.json" in self.pinned
            ):
                self._file(self._name(place))

    def _raw(self) -> None:
        for place in self._files("raw_data", "*/*/*/*"):
            record = self.runs.get(place.parent.name)
            is_segment = place.suffix == ".seg"
            if record is None or (is_segment and record.fence and fence_of(place) > record.fence):
                continue
            self._file(self._name(place), whole=is_segment and record.status in OPEN)

    def _logs(self) -> None:
        for place in self._files("logs", "*.jsonl"):
            self._file(self._name(place))

    def _files(self, room: str, pattern: str) -> Iterator[Path]:
        found = sorted((self.storage.root / room).glob(pattern))
        return (place for place in found if place.is_file() and not place.name.startswith("."))

    def _file(self, name: str, sha256: str = "", *, whole: bool = False) -> None:
        """Put a file in, as long as it is now; of a segment that is being written the whole frames only."""
        place = self.storage.root / name
        try:
            with place.open("rb") as file:
                size = _whole(place, self.storage) if whole else os.fstat(file.fileno()).st_size
                file.seek(0)
                if self.pack.add(name, file, size) != (sha256 or self.pack.files[name]["sha256"]):
                    self.notes.append(f"{name} is damaged: it is in the backup as it is")
        except FileNotFoundError:
            self.notes.append(f"{name} is gone: a version names it, and the backup does not hold it")

    def _name(self, place: Path) -> str:
        return place.relative_to(self.storage.root).as_posix()


def backup(storage: Storage, place: Path | None, at: datetime) -> dict[str, Json]:
    """Copy a storage into one file, by default into its folder `backups`; gives path, sizes and what is wrong.

    Raises ConfigError where there is no storage or the file is there already, StorageError.
    """
    root = storage.root
    if not (root / SAID).is_file() or not storage.has_ledger:
        raise ConfigError(f"{root} is no storage", "name the storage with --storage, or run something first")
    place = place or root / "backups" / f"{at:%Y%m%dT%H%M%S}Z.tar"
    if place.exists():
        raise ConfigError(f"{place} is there already, and a backup is never replaced", "give another path")
    with keeping(root, changes=False):
        try:
            pinned = _pinned(root)
            commit.point("backup pinned")
            (root / "backups").mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=root / "backups", prefix=".ledger-") as folder:
                copy = Path(folder, FILE)
                runs = _snapshot(storage, copy)
                said = json.loads(pinned[SAID])
                tools = sorted({record.tool for record in runs.values()})
                about = {"at": rfc3339(at), "tools": tools, "simulated": said.get("simulated"), "storage": said}
                with archive.packing(place, about) as pack:
                    made = Backup(storage, pack, runs, pinned)
                    made.fill(copy)
        except OSError as error:
            raise StorageError(f"{place} cannot be made: {error.strerror or error}", "free space") from error
    size = place.stat().st_size
    files, plain = len(pack.files), sum(file["bytes"] for file in pack.files.values())
    return {"backup": str(place), **about, "files": files, "bytes": size, "bytes_of_files": plain, "notes": made.notes}


def restore(storage: Storage, place: Path) -> dict[str, Json]:
    """Make a storage of a backup, at once or not at all; gives what the backup says of itself.

    Raises ConfigError where something is in the way or the key does not fit, StorageError for a damaged backup.
    """
    root = storage.root
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConfigError(f"{root} is there already, and nothing is ever restored over it", "choose another --storage")
    fresh = root.absolute().with_name(f".{root.absolute().name}.restoring-{os.getpid()}")
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        manifest = archive.unpack(place, fresh)
        _fill_ledger(replace(storage, root=fresh, seal=replace(storage.seal, root=fresh)), place)
        _sync(fresh)
        commit.point("backup unpacked")
        fresh.rename(root)
        commit.point("backup restored")
    except OSError as error:
        text = f"{root} cannot be restored: {error.strerror or error}"
        raise StorageError(text, "free space, or make its folder writable") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    about = {name: manifest[name] for name in ("at", "tools", "simulated")}
    return {"storage": str(root), "backup": str(place), **about, "files": len(manifest["files"])}


def _pinned(root: Path) -> dict[str, bytes]:
    """What is current: what the newest reports, the tables and then the versions are. A version is never replaced."""
    patterns = ("reports/*/latest.json", "processed_data/*/current.json", "processed_data/*/versions/*.json")
    places = [place for pattern in patterns for place in sorted(root.glob(pattern)) if place.name[0] != "."]
    return {SAID: (root / SAID).read_bytes()} | {
        place.relative_to(root).as_posix(): place.read_bytes() for place in places
    }


def _snapshot(storage: Storage, to: Path) -> dict[str, RunRecord]:
    """Copy the ledger, and give the runs it knows."""
    ledger = storage.ledger()
    try:
        ledger.snapshot(to)
    finally:
        ledger.close()
    commit.point("ledger copied")
    copy = Ledger(to, seal=storage.seal)
    try:
        return {record.run: record for record in copy.runs()}
    finally:
        copy.close()


def _whole(place: Path, storage: Storage) -> int:
    """How much of a segment is whole frames; all of it where one is damaged, as whoever reads it will tell."""
    end = 0
    with place.open("rb") as file:
        try:
            for _, at in heads(file, place, storage.seal):
                frame_at(file, place, at, storage.seal)
                end = file.tell()
        except StorageError:
            end = os.fstat(file.fileno()).st_size
    return end


def _fill_ledger(storage: Storage, place: Path) -> None:
    """Make the ledger of a restored storage of its copy: in its folder, or in an empty database."""
    said_in, sealed = storage.root / SAID, storage.root / FILE
    if not said_in.is_file() or not sealed.is_file():
        raise StorageError(f"{place} holds no {SAID} or no ledger", "use another backup")
    try:
        must_fit(storage.root, storage.seal)
    except ConfigError as error:
        error.message = error.message.replace(str(storage.root), str(place))
        raise
    said = json.loads(said_in.read_text())
    said_in.write_text(json.dumps({name: value for name, value in said.items() if name != WORD}, indent=1) + "\n")
    copy = storage.root / f".{FILE}"
    with sealed.open("rb") as file, copy.open("wb") as plain:
        plain.writelines(storage.seal.unpack(file, sealed))
    sealed.unlink()
    _must_be_new(storage)
    # kept pages are there already: a storage would miss the ledger that is made here
    ledger = storage.ledger() if storage.database else Ledger(storage.root / FILE, seal=storage.seal)
    try:
        ledger.load(copy)
    finally:
        ledger.close()
        for left in storage.root.glob(f".{FILE}*"):
            left.unlink()


def _must_be_new(storage: Storage) -> None:
    """Raise ConfigError where the database of the restored ledger is that of another storage."""
    if not storage.database:
        return
    ledger = Ledger(storage.database, seal=storage.seal)
    try:
        known = ledger.tied_to()
    finally:
        ledger.close()
    if known:
        text = "the database that database_url names holds a ledger, and nothing is ever restored over one"
        raise ConfigError(text, "name an empty database, or a schema of its own: database_url: …?schema=other")


def _sync(root: Path) -> None:
    """Make sure that all names below a folder survive a power cut; the files do already."""
    for folder, _, names in os.walk(root):
        for place in [folder, *(os.path.join(folder, name) for name in names if folder == str(root))]:
            sync_folder(place)
