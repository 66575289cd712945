"""What is written to a path is read while it is written, and what goes wrong there is told here."""

import threading
from pathlib import Path

import pytest

from engine.core.errors import Mistake
from engine.flow.piped import PIECE, pieces

LONG = b"0123456789" * PIECE


def test_the_pieces_are_what_was_written() -> None:
    assert LONG == b"".join(pieces(lambda place: _wrote(place, LONG)))


def test_what_the_writer_raises_comes_behind_its_last_piece() -> None:
    def fail(place: Path) -> None:
        _wrote(place, b"some")
        raise Mistake("report", "no such column")

    found: list[bytes] = []
    with pytest.raises(Mistake, match="no such column"):
        found.extend(pieces(fail))
    assert [b"some"] == found


def test_a_reader_that_stops_early_ends_the_writer() -> None:
    ended = threading.Event()

    def write(place: Path) -> None:
        try:
            _wrote(place, LONG)
        finally:
            ended.set()

    reading = pieces(write)
    next(reading)
    reading.close()  # type: ignore[attr-defined]  # it is a generator
    assert ended.wait(20)


def _wrote(place: Path, content: bytes) -> None:
    with place.open("wb") as file:
        file.write(content)
