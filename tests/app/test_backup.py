"""A storage as one file, and a storage made of it."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import ConfigError, EngineError, StorageError
from engine.flow.archive import DIGEST, MANIFEST
from engine.flow.gone import keeping
from tests.app.kept import Kept, backed_up, restored, state, tables


def test_what_was_backed_up_is_restored(kept: Kept) -> None:
    kept.run(event=1)
    kept.run(event=2)
    engine = restored(kept, backed_up(kept))
    assert state(kept.storage) == state(engine.config.storage)
    assert [(one["run"], one["status"]) for one in kept.engine.runs()] == [
        (one["run"], one["status"]) for one in engine.runs()
    ]
    assert kept.engine.state("acme") == engine.state("acme")


def test_a_restored_storage_goes_on_where_the_other_did(kept: Kept) -> None:
    kept.run(event=1)
    kept.run("collect", event=2)
    engine = restored(kept, backed_up(kept))
    kept.run(event=3)
    engine.clock = kept.desk.time.clock()
    engine.run(kept.desk.folder / "acme.yaml")
    assert [1, 2, 3] == kept.rows("events")
    assert tables(kept.storage) == tables(engine.config.storage)


def test_a_manifest_names_every_file_with_its_hash(kept: Kept) -> None:
    kept.run(event=1)
    told = kept.engine.backup()
    with tarfile.open(told["backup"]) as tar:
        files = {member.name: _content(tar, member) for member in tar}
    manifest = json.loads(files.pop(MANIFEST))
    assert f"{hashlib.sha256(_read(told['backup'], MANIFEST)).hexdigest()}  {MANIFEST}\n" == files.pop(DIGEST).decode()
    assert {name: hashlib.sha256(one).hexdigest() for name, one in files.items()} == {
        name: one["sha256"] for name, one in manifest["files"].items()
    }
    assert (1, ["acme"], False) == (manifest["backup"], manifest["tools"], manifest["simulated"])
    assert [] == [name for name in files if name.startswith(("backups", "locks", "."))]


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


def _read(path: str, name: str) -> bytes:
    with tarfile.open(path) as tar:
        return _content(tar, tar.getmember(name))


def test_a_backup_is_for_its_owner_alone_and_none_holds_another(kept: Kept) -> None:
    kept.run()
    first = backed_up(kept)
    kept.desk.time.now += 1
    second = backed_up(kept)
    assert 0o600 == first.stat().st_mode & 0o777
    assert 0.9 < second.stat().st_size / first.stat().st_size < 1.1


def test_a_damaged_file_of_a_storage_is_told_and_kept_as_it_is(kept: Kept) -> None:
    kept.run()
    [file, *_] = (kept.storage / "processed_data" / "acme" / "things").rglob("*.parquet")
    file.write_bytes(b"x")
    assert ["is damaged" in note for note in kept.engine.backup(kept.desk.folder / "a.tar")["notes"]] == [True]
    file.unlink()
    assert ["is gone" in note for note in kept.engine.backup(kept.desk.folder / "b.tar")["notes"]] == [True]


def test_a_backup_is_never_replaced(kept: Kept) -> None:
    kept.run()
    place = backed_up(kept)
    with pytest.raises(ConfigError, match="never replaced"):
        kept.engine.backup(place)


def test_what_is_no_storage_is_not_backed_up(kept: Kept) -> None:
    with pytest.raises(ConfigError, match="is no storage"):
        kept.engine.backup()
    assert not kept.storage.exists()


def test_no_backup_is_made_while_files_are_taken_away(kept: Kept) -> None:
    kept.run()
    with keeping(kept.storage, changes=True), pytest.raises(StorageError, match="it is cleaned up"):
        kept.engine.backup()


# --- what is no sound backup


def test_nothing_is_restored_over_a_storage(kept: Kept) -> None:
    kept.run()
    before = state(kept.storage)
    with pytest.raises(ConfigError, match="nothing is ever restored over it"):
        kept.engine.restore(backed_up(kept))
    assert before == state(kept.storage)


@pytest.mark.parametrize("holds", ["", "a file", "a folder"])
def test_an_empty_folder_may_become_a_storage_and_nothing_else_may(kept: Kept, holds: str) -> None:
    kept.run()
    place, target = backed_up(kept), kept.desk.folder / "again"
    target.write_text("mine") if holds == "a file" else target.mkdir()
    if holds == "a folder":
        (target / "mine").touch()
    if holds:
        with pytest.raises(ConfigError, match="nothing is ever restored over it"):
            restored(kept, place)
    else:
        assert state(kept.storage) == state(restored(kept, place).config.storage)


def _refused(kept: Kept, backup: Path, says: str = "") -> None:
    with pytest.raises(EngineError) as caught:
        restored(kept, backup)
    assert says in caught.value.message
    assert not (kept.desk.folder / "again").exists()
    assert [] == [one.name for one in kept.desk.folder.iterdir() if "restoring" in one.name]


def test_a_backup_that_is_cut_short_is_refused(kept: Kept) -> None:
    kept.run()
    whole = backed_up(kept).read_bytes()
    place = kept.desk.folder / "cut.tar"
    for length in (0, 1, 511, 512, 700, len(whole) // 2, len(whole) // 2 // 512 * 512, len(whole) - 10240 - 1024):
        place.write_bytes(whole[:length])
        _refused(kept, place, "nothing was restored")


def test_one_byte_that_is_not_as_it_was_is_found(kept: Kept) -> None:
    kept.run()
    whole = backed_up(kept).read_bytes()
    place, before = kept.desk.folder / "flipped.tar", state(kept.storage)
    refused = 0
    for at in range(0, len(whole), len(whole) // 60):
        place.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            engine = restored(kept, place)
        except EngineError as error:
            refused += "nothing was restored" in error.message
        else:  # it was in the empty space behind a file
            assert before == state(engine.config.storage)
            shutil.rmtree(engine.config.storage)
    assert refused > 30


def _changed(kept: Kept, change: Callable[[tarfile.TarFile], None]) -> Path:
    """A backup with something more in it, before or behind all else."""
    whole, place = backed_up(kept), kept.desk.folder / "changed.tar"
    with tarfile.open(whole) as source, tarfile.open(place, "w") as target:
        for member in source:
            if member.name == MANIFEST:
                change(target)
            target.addfile(member, source.extractfile(member))
    return place


def _with(name: str, **more: Any) -> Callable[[tarfile.TarFile], None]:
    info = tarfile.TarInfo(name)
    info.size = 0 if more else 4
    for word, value in more.items():
        setattr(info, word, value)
    return lambda tar: tar.addfile(info, io.BytesIO(b"more"))


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("logs/more.jsonl", {}, "which its manifest does not name"),
        ("storage.json", {}, "twice"),
        ("/tmp/engine-escaped", {}, "no file of a storage is called"),
        ("../escaped", {}, "no file of a storage is called"),
        ("raw_data/../../escaped", {}, "no file of a storage is called"),
        ("raw_data//x", {}, "no file of a storage is called"),
        ("locks/x", {}, "no file of a storage is called"),
        ("raw_data/x", {"type": tarfile.SYMTYPE, "linkname": "/etc"}, "is no plain file"),
        ("raw_data/x", {"type": tarfile.LNKTYPE, "linkname": "storage.json"}, "is no plain file"),
        ("raw_data/x", {"type": tarfile.FIFOTYPE}, "is no plain file"),
        ("raw_data/x", {"type": tarfile.DIRTYPE}, "is no plain file"),
    ],
    ids=["more", "twice", "absolute", "above", "out", "unclear", "other room", "link", "hard link", "pipe", "folder"],
)
def test_what_does_not_belong_into_a_backup_is_refused(kept: Kept, name: str, more: Any, says: str) -> None:
    kept.run()
    _refused(kept, _changed(kept, _with(name, **more)), says)
    assert not Path("/tmp/engine-escaped").exists()
    assert not (kept.desk.folder / "escaped").exists()


def test_a_file_that_is_missing_is_named(kept: Kept) -> None:
    kept.run()
    place = kept.desk.folder / "less.tar"
    with tarfile.open(backed_up(kept)) as source, tarfile.open(place, "w") as target:
        for member in source:
            if member.name != "reports/acme/latest.json":
                target.addfile(member, source.extractfile(member))
    _refused(kept, place, "reports/acme/latest.json is missing")


def test_what_is_no_backup_is_told(kept: Kept) -> None:
    place = kept.desk.folder / "x.tar"
    _refused(kept, place, "there is no backup at")
    place.write_text("hello")
    _refused(kept, place, "is damaged or no backup")


# --- kills, and runs that go on


def _killed_restore(kept: Kept, place: Path, number: int) -> int:
    """Restore with a kill at a commit point: there is no storage then, or a whole one."""
    target = kept.desk.folder / "again"
    code = kept.killed("restore", number, str(place), storage=target)
    if target.exists():
        assert state(kept.storage) == state(target)
        shutil.rmtree(target)
    return code


def _killed_backup(kept: Kept, number: int) -> int:
    """Make a backup with a kill at a commit point: there is none then, or a whole one."""
    place = kept.desk.folder / "b" / "a.tar"
    code = kept.killed("backup", number, str(place))
    if place.exists():
        assert state(kept.storage) == state(restored(kept, place, f"again-{number}").config.storage)
        place.unlink()
    return code


def test_a_restore_that_is_killed_leaves_no_half_storage(kept: Kept) -> None:
    kept.run()
    assert 9 == _killed_restore(kept, backed_up(kept), 3)


def test_a_backup_that_is_killed_leaves_no_half_one_and_goes(kept: Kept) -> None:
    kept.run()
    assert 9 == _killed_backup(kept, 4)
    kept.engine.cleanup(max_age=24)
    assert [] == kept.below("backups")


@pytest.mark.slow
@pytest.mark.parametrize("work", ["backup", "restore"])
def test_both_may_be_killed_at_any_commit_point(kept: Kept, work: str) -> None:
    kept.run()
    place, number = backed_up(kept), 1
    while (_killed_backup(kept, number) if work == "backup" else _killed_restore(kept, place, number)) == 9:
        number += 1
    assert number > 4
