"""What is written to a path, read while it is written: it never lies on a disk."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

PIECE = 1 << 16


def pieces(write: Callable[[Path], None]) -> Iterator[bytes]:
    """The bytes that `write` puts into the path it is given, front to back, piece by piece.

    It writes in a thread of its own, into a pipe; what it raises is raised here behind the last piece.
    """
    source, sink = os.pipe()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            write(Path(f"/dev/fd/{sink}"))
        except BaseException as error:  # whatever it is, it belongs to who reads
            failed.append(error)
        finally:
            os.close(sink)

    thread = threading.Thread(target=run, name="output", daemon=True)
    thread.start()
    with open(source, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            yield piece
    thread.join()
    if failed:
        raise failed[0]
