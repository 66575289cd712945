"""The key of the storage: where it comes from, and what was sealed with it, opened for a person."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from engine.app.config import Config
from engine.app.log import SEALED
from engine.core.errors import ConfigError, EngineError
from engine.flow.seal import PLAIN, Seal, new_key, read_key
from engine.flow.seal import is_sealed as is_sealed
from engine.flow.storage import Storage, must_fit
from engine.flow.writing import writing

NAME = "ENCRYPTION_KEY"
SPILL = "POLARS_OOC_SPILL_MIN_BYTES"
NEVER = 1 << 62


def opened(config: Config, env: Mapping[str, str]) -> Storage:
    """The storage with its key. Raises ConfigError where the key is none, or not the one it was made with."""
    seal = seal_of(config, env)
    must_fit(config.storage, seal)
    return Storage(config.storage, seal, config.database_url)


def seal_of(config: Config, env: Mapping[str, str]) -> Seal:
    """The key that config.yaml or else the environment says; without one nothing is sealed."""
    text = config.encryption_key or env.get(NAME, "")
    if not text.strip():
        return PLAIN
    key = read_key(text)
    _keep_in_memory()
    return Seal(key, config.storage)


def seal_of_log(config: Config, env: Mapping[str, str]) -> Seal:
    """What errors are recorded with: also of a run that has no right key."""
    try:
        return opened(config, env).seal
    except EngineError:
        return PLAIN


def _keep_in_memory() -> None:
    """Let Polars never put rows on disk by itself, as it does where memory is short: they would lie there unsealed."""
    if os.environ.get(SPILL) == str(NEVER):
        return
    os.environ[SPILL] = str(NEVER)
    if "polars" in sys.modules:
        from polars._plr import config_reload_env_var

        config_reload_env_var(SPILL)


def key() -> str:
    """A new random key."""
    return new_key()


def decrypted(path: Path, config: Config, env: Mapping[str, str]) -> Iterator[bytes]:
    """The content of a sealed file, wherever it lies. Raises ConfigError and StorageError.

    Of a segment each kept page is a line of JSON, and so is each error of a log.
    """
    seal = replace(seal_of(config, env), anywhere=True)
    if not seal.is_on:
        raise ConfigError("no key is set", f"set {NAME} to the key that {path} was written with")
    try:
        with path.open("rb") as file:
            opening = file.read(8)
            file.seek(0)
            yield from _content(path, file, opening, seal)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def written(place: Path, pieces: Iterator[bytes]) -> None:
    """Write what was decrypted to a file, which is there when all of it was proved. Raises StorageError."""
    with writing(place) as unfinished, unfinished.open("wb") as file:
        file.writelines(pieces)


def _content(path: Path, file: BinaryIO, opening: bytes, seal: Seal) -> Iterator[bytes]:
    if opening.startswith(b"PARE"):
        from engine.flow import parquet
        from engine.flow.piped import pieces

        rows = parquet.scan([path], seal)
        yield from pieces(lambda place: rows.sink_parquet(place))
    elif opening.startswith(b"engineS"):
        from engine.flow.raw import frames

        for frame in frames(path, seal):
            known = {name: value for name in frame.meta.__struct_fields__ if (value := getattr(frame.meta, name))}
            page = {**known, "answer": frame.body.decode("utf-8", "replace")}
            yield json.dumps(page, ensure_ascii=False, default=repr).encode() + b"\n"
    elif opening.startswith(b"{"):
        yield from (_line(line, seal) for line in file)
    else:
        yield from seal.unpack(file, path)


def _line(line: bytes, seal: Seal) -> bytes:
    """A record of a log as it was before it was sealed."""
    sealed = json.loads(line).get(SEALED)
    return seal.plain(sealed, SEALED).encode() + b"\n" if sealed else line
