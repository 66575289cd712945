"""Pieces of kept pages read on threads, and put together to batches of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from engine.flow.frames import Reader, Rows
from engine.flow.slices import Piece, Slice

BATCH_ROWS, BATCH_BYTES = 50_000, 32_000_000
THREADS = 2
AHEAD_BYTES = 16_000_000
"""So much is read ahead of the piece that is waited for, and never more than one piece beside each thread."""


def batches(reader: Reader, pieces: Iterable[Piece], look: Callable[[Slice], None] | None = None) -> Iterator[Rows]:
    """Pieces read on threads, in their order, put together to batches of about fifty thousand rows, or fewer big ones.

    `look` is shown the records of each piece, numbered, before its rows are given.
    """
    held, start = list[Rows](), 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="read") as pool:
        for piece, (opened, read) in ahead(pool, reader, pieces):
            held.append(read.moved(start))
            behind = piece.numbered(start)
            if look:
                for one in opened:
                    look(replace(one, start=start))
                    start += len(one.rows)
            start = behind
            rows = sum(one.frame.height + len(one.rejects) for one in held)
            if rows >= BATCH_ROWS or sum(one.frame.estimated_size() for one in held) >= BATCH_BYTES:
                yield Rows.of(held)
                held = []
    if held:
        yield Rows.of(held)


Opened = tuple[list[Slice], Rows]


def ahead(pool: ThreadPoolExecutor, reader: Reader, pieces: Iterable[Piece]) -> Iterator[tuple[Piece, Opened]]:
    """Each piece with its slices and rows, in order; so many others as memory allows are read meanwhile."""

    def work(piece: Piece) -> Opened:
        opened = list(piece.slices())
        return opened, reader.read_all(opened)

    waiting: list[tuple[Piece, Future[Opened]]] = []
    for piece in pieces:
        while waiting and (len(waiting) > THREADS or sum(one.size for one, _ in waiting) + piece.size > AHEAD_BYTES):
            done, found = waiting.pop(0)
            yield done, found.result()
        waiting.append((piece, pool.submit(work, piece)))
    for done, found in waiting:
        yield done, found.result()
