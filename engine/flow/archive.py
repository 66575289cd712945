"""A backup: one tar of the files as they lie, and behind them a manifest by which every byte is known again."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from engine.core import commit
from engine.core.errors import ConfigError, Json, StorageError
from engine.flow.writing import writing

FORMAT = 1
MANIFEST, DIGEST = "manifest.json", "manifest.sha256"
ROOMS = frozenset({"storage.json", "engine.db", "raw_data", "processed_data", "quarantine", "reports", "logs"})
"""What a storage holds, and a backup of it."""
CHUNK = 1 << 20
LONGEST = 1 << 30
"""Bytes of a manifest: about five million files."""


class Hashed(io.RawIOBase):
    """Gives a file through and takes its hash on the way."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source, self.digest = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece = self.source.read(size)
        self.digest.update(piece)
        return piece


@dataclass
class Packer:
    """Puts files into a backup, one after the other."""

    tar: tarfile.TarFile
    files: dict[str, Json] = field(default_factory=dict)

    def add(self, name: str, source: IO[bytes], size: int) -> str:
        """Put so many bytes in; gives their hash. Raises OSError where the file has fewer."""
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        hashed = Hashed(source)
        self.tar.addfile(info, hashed)
        digest = hashed.digest.hexdigest()
        self.files[name] = {"bytes": size, "sha256": digest}
        commit.point("file packed")
        return digest

    def text(self, name: str, content: bytes) -> str:
        """Put a text in that is at hand."""
        return self.add(name, io.BytesIO(content), len(content))


@contextmanager
def packing(place: Path, about: Mapping[str, Json]) -> Iterator[Packer]:
    """Make a backup at a place, which is there wholly in the end or not at all. Raises StorageError."""
    with writing(place) as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))  # it may hold what signs in
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            packer = Packer(tar)
            yield packer
            commit.point("backup packed")
            manifest = json.dumps({"backup": FORMAT, **about, "files": packer.files}, indent=1, ensure_ascii=False)
            digest = packer.text(MANIFEST, manifest.encode())
            packer.text(DIGEST, f"{digest}  {MANIFEST}\n".encode())


def unpack(archive: Path, folder: Path) -> dict[str, Json]:
    """Put the files of a backup below a folder; gives the manifest.

    Raises StorageError unless all are there, nothing else is, and each is as it was.
    """
    found: dict[str, Json] = {}
    ends: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                file = _file(tar, member, archive)
                name = member.name
                if name in found or name in ends or DIGEST in ends:
                    raise _damaged(archive, f"{name} stands in it twice, or behind its end")
                if name in (MANIFEST, DIGEST):
                    if member.size > LONGEST:
                        raise _damaged(archive, f"its {name} is too long")
                    ends[name] = file.read()
                else:
                    found[name] = _written(file, folder / _path(name, archive))
    except FileNotFoundError:
        raise ConfigError(f"there is no backup at {archive}", "give the path of a backup") from None
    except (tarfile.TarError, EOFError, UnicodeError, ValueError) as error:
        raise _damaged(archive, str(error)) from error
    except OSError as error:
        raise StorageError(f"{archive} cannot be unpacked: {error.strerror or error}", "free space") from error
    return _compared(archive, found, ends)


def _compared(archive: Path, found: Mapping[str, Json], ends: Mapping[str, bytes]) -> dict[str, Json]:
    """The manifest, where it is whole and names just what was found."""
    text = ends.get(MANIFEST, b"")
    said = ends.get(DIGEST, b"").decode("ascii", "replace").partition(" ")[0]
    if not text or hashlib.sha256(text).hexdigest() != said:
        raise _damaged(archive, "its end is missing" if DIGEST not in ends else "its manifest is not as it was written")
    manifest: dict[str, Json] = json.loads(text)
    if manifest.get("backup") != FORMAT:
        text_ = f"{archive} is a backup of format {manifest.get('backup')}, this engine knows format {FORMAT}"
        raise StorageError(text_, "use the engine that made it")
    listed = manifest["files"]
    for name in [*listed, *found]:
        if name not in found:
            raise _damaged(archive, f"{name} is missing")
        if name not in listed:
            raise _damaged(archive, f"it holds {name}, which its manifest does not name")
        if found[name] != listed[name]:
            raise _damaged(archive, f"{name} is not as it was written")
    return manifest


def _file(tar: tarfile.TarFile, member: tarfile.TarInfo, archive: Path) -> IO[bytes]:
    file = tar.extractfile(member) if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else None
    if file is None or member.sparse is not None:
        raise _damaged(archive, f"{member.name} is no plain file")
    return file


def _path(name: str, archive: Path) -> str:
    """The name, where it is one of a storage's own files and leads nowhere else."""
    path = PurePosixPath(name)
    if str(path) != name or path.is_absolute() or ".." in path.parts or path.parts[:1][0] not in ROOMS or "\0" in name:
        raise _damaged(archive, f'no file of a storage is called "{name}"')
    return name


def _written(file: IO[bytes], place: Path) -> Json:
    """Write a file and make sure that it survives a power cut; gives its size and hash."""
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with place.open("xb") as target:
        while piece := file.read(CHUNK):
            target.write(piece)
            digest.update(piece)
            size += len(piece)
        target.flush()
        os.fsync(target.fileno())
    commit.point("file unpacked")
    return {"bytes": size, "sha256": digest.hexdigest()}


def _damaged(archive: Path, why: str) -> StorageError:
    return StorageError(f"{archive} is damaged or no backup, and nothing was restored: {why}", "use another backup")
