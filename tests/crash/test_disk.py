"""Full and read-only disks: a clear error with its mend, nothing damaged, and the next run goes on."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.bench import Bench
from tests.crash.breaks import AT, BYTES

IN_FLIGHT = 6 * 8
"""A full disk stops no other thread at once: each may ask for one more page, which cannot be kept either."""
EACH = 7
"""Of the write points every so many."""
WRITES = ("frame begins", "frame half", "file written")


def _refused(bench: Bench, error: str, exit_code: int) -> bool:
    """Whether a run ended as one does that the disk refuses: by exit 5 and with a mend."""
    return exit_code == 5 and error.startswith("StorageError") and "mend: " in error


@pytest.mark.slow
@pytest.mark.parametrize("point", WRITES)
def test_a_disk_that_is_full_from_any_write_on_ends_the_run_and_the_next_one_goes_on(
    bench: Bench, tmp_path: Path, point: str
) -> None:
    count = bench.base.points.count(point)
    for number in (1, *range(EACH, count, EACH), count):
        (tmp_path / str(number)).mkdir()
        one = bench.at(tmp_path / str(number))
        ended = one.run(env={AT: f"{point} {number}"}, before="tests.crash.breaks:full")
        assert _refused(one, ended.error, ended.exit_code), (number, ended.error)
        assert "No space left" in ended.error
        again = one.run(unless=bench.base.run)
        assert ([], True) == (one.differs(again), one.asked_again() <= IN_FLIGHT), (number, one.asked_again())


@pytest.mark.slow
@pytest.mark.parametrize("most", [100, 3_000, 60_000])
def test_files_that_may_not_grow_end_the_run_and_the_next_one_goes_on(bench: Bench, most: int) -> None:
    ended = bench.run(env={BYTES: str(most)}, before="tests.crash.breaks:small")
    assert _refused(bench, ended.error, ended.exit_code), ended.error
    again = bench.run()
    assert ([], True) == (bench.differs(again), bench.asked_again() <= IN_FLIGHT)


@pytest.fixture
def tiny() -> Iterator[Path]:
    """A file system of its own of 64 KiB."""
    place = Path(tempfile.mkdtemp(prefix="engine-tiny-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        place.rmdir()
        pytest.skip("only root may mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
    place.rmdir()


@pytest.mark.slow
def test_a_file_system_that_is_full_is_said_and_with_more_room_the_run_goes_on(bench: Bench, tiny: Path) -> None:
    one, told = bench.at(tiny), []
    for size in ("64k", "128k", "192k", "256k", "512k", "1m", "2m"):
        subprocess.run(["mount", "-o", f"remount,size={size}", str(tiny)], check=True)
        ended = one.run(unless=bench.base.run)
        if not ended.error:
            break
        assert _refused(one, ended.error, ended.exit_code), ended.error
        told.append(ended.error)
    assert told
    assert all("full" in error or "No space left" in error for error in told), told
    assert ([], True) == (one.differs(ended), one.asked_again() <= IN_FLIGHT * len(told))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="engine-open-") as place:
        os.chmod(place, 0o755)
        yield Path(place)


def _moved(bench: Bench, folder: Path) -> Bench:
    """The bench with its page in a folder that every user may enter."""
    one = bench.at(folder)
    one.page = folder / bench.page.name
    shutil.copyfile(bench.page, one.page)
    return one


def _closed(root: Path) -> list[tuple[Path, int]]:
    """Nobody may write below a folder; gives what was allowed before."""
    found = [(place, stat.S_IMODE(place.stat().st_mode)) for place in (root, *root.rglob("*"))]
    for place, mode in found:
        place.chmod((mode | 0o555 if place.is_dir() else mode | 0o444) & ~0o222)
    return found


@pytest.mark.slow
def test_a_read_only_storage_is_said_and_when_it_can_be_written_the_run_goes_on(
    bench: Bench, open_folder: Path
) -> None:
    one = _moved(bench, open_folder)
    assert one.run(point=("frame kept", 40)).killed
    before = _closed(one.storage)
    ended = one.run(before="tests.crash.breaks:nobody")
    for place, mode in before:
        place.chmod(mode)
    assert _refused(one, ended.error, ended.exit_code), ended.error
    assert ([], True) == (one.differs(one.run()), one.asked_again() <= IN_FLIGHT)


@pytest.mark.slow
def test_a_storage_that_cannot_be_made_is_said(bench: Bench, open_folder: Path) -> None:
    one = _moved(bench, open_folder)
    open_folder.chmod(0o555)
    ended = one.run(before="tests.crash.breaks:nobody")
    assert _refused(bench, ended.error, ended.exit_code), ended.error
