"""The hand-written limit: the same table from the same server by a page of code for this one purpose.

`limit.py URL PAGING SIZE SHAPE FOLDER`. One thread fetches with urllib3 (which took less than httpx2 and hardly more
than http.client), msgspec takes the records out of a page without reading them, threads read them with Polars in slices
of a thousand and write parts of 50,000. Numbers and times are read as text and cast, and what does not fit ends it:
reading them as numbers would lose what does not fit without a word, for 5 % less CPU. Where pages have numbers, each
thread fetches too. Nothing is kept of the answers, nothing is checked, and nothing is tried again.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import polars as pl
import urllib3

THREADS, SLICE, PART = 2, 1_000, 50_000
TEXT = pl.String
FLAT = {
    **dict.fromkeys(["id", "title", "severity", "score", "count"], TEXT),
    "open": pl.Boolean,
    **dict.fromkeys(["created", "seen", "email", "team", "asset", "region"], TEXT),
}
NESTED = {
    "id": TEXT,
    "attributes": pl.Struct(
        {
            "title": TEXT,
            "state": pl.Struct({"severity": TEXT, "open": pl.Boolean}),
            "metrics": pl.Struct({"score": TEXT, "count": TEXT}),
            "times": pl.Struct({"created": TEXT, "seen": TEXT}),
        }
    ),
    "owner": pl.Struct({"contact": pl.Struct({"email": TEXT}), "team": pl.Struct({"name": TEXT})}),
    "tags": pl.List(TEXT),
    "credentials": pl.List(pl.Struct({"key": TEXT, "status": TEXT})),
}


class Page(msgspec.Struct):
    """An answer, its records as they came."""

    data: msgspec.Raw
    next: str | None = None
    pages: int = 1


PATHS = {
    "flat": {
        **{name: (name,) for name in ("id", "title", "severity", "score", "count", "open", "created", "seen")},
        **{name: (name,) for name in ("email", "team", "asset", "region")},
    },
    "nested": {
        "id": ("id",),
        "title": ("attributes", "title"),
        "severity": ("attributes", "state", "severity"),
        "score": ("attributes", "metrics", "score"),
        "count": ("attributes", "metrics", "count"),
        "open": ("attributes", "state", "open"),
        "created": ("attributes", "times", "created"),
        "seen": ("attributes", "times", "seen"),
        "email": ("owner", "contact", "email"),
        "team": ("owner", "team", "name"),
        "tags": ("tags",),
    },
}
"""Where each value stands in a record."""
APPROVED = pl.element().filter(pl.element().struct.field("status") == "approved").struct.field("key")


def columns(shape: str) -> list[pl.Expr]:
    """The twelve columns of a shape."""
    found = {name: field(*path) for name, path in PATHS[shape].items()}
    found["score"] = found["score"].cast(pl.Float64)
    found["count"] = found["count"].cast(pl.Int64)
    found["created"] = found["created"].str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")
    seen = pl.from_epoch(found["seen"].cast(pl.Int64), "ms")
    found["seen"] = seen.dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    if shape == "nested":
        found["first_value"] = pl.col("credentials").list.eval(APPROVED).list.first()
    return [one.alias(name) for name, one in found.items()]


def field(name: str, *below: str) -> pl.Expr:
    """The value at a path of a record."""
    found = pl.col(name)
    for one in below:
        found = found.struct.field(one)
    return found


class Limit:
    """One collection."""

    def __init__(self, url: str, shape: str, folder: Path) -> None:
        self.client = urllib3.connection_from_url(url, maxsize=THREADS, headers={"accept-encoding": "gzip"})
        self.schema = FLAT if shape == "flat" else NESTED
        self.columns, self.folder = columns(shape), folder
        self.lock, self.frames, self.rows, self.parts = threading.Lock(), list[pl.DataFrame](), 0, 0

    def page(self, query: str = "") -> Page:
        """One answer."""
        answer = self.client.request("GET", f"/records{query}")
        assert answer.status == 200, answer.status
        return msgspec.json.decode(answer.data, type=Page)

    def following(self) -> Iterator[Page]:
        """One page after the other, by cursor."""
        page = self.page()
        yield page
        while page.next is not None:
            page = self.page(f"?cursor={page.next}")
            yield page

    def take(self, pages: list[Page]) -> None:
        """Read the records of some pages, and write a part where there are enough."""
        text = pages[0].data if len(pages) == 1 else b"[%s]" % b",".join(bytes(one.data)[1:-1] for one in pages)
        frame = pl.read_json(io.BytesIO(text), schema=self.schema).select(self.columns)
        with self.lock:
            self.frames.append(frame)
            self.rows += frame.height
            if self.rows < PART:
                return
            ready = self.ready()
        self.write(*ready)

    def ready(self) -> tuple[int, list[pl.DataFrame]]:
        """What is to be written as one part."""
        frames, self.frames, self.rows, self.parts = self.frames, [], 0, self.parts + 1
        return self.parts, frames

    def write(self, number: int, frames: list[pl.DataFrame]) -> None:
        """One part."""
        pl.concat(frames).write_parquet(self.folder / f"{number:05d}.parquet", compression="zstd")

    def run(self, paging: str, size: int) -> None:
        """Everything, with two slices a thread on their way."""
        room, done = threading.Semaphore(THREADS * 2), list[Future[None]]()
        some = max(1, SLICE // size)

        def work(pages: list[Page], numbers: range) -> None:
            try:
                self.take([*pages, *(self.page(f"?page={number}") for number in numbers)])
            finally:
                room.release()

        def send(pages: list[Page], numbers: range = range(0)) -> None:
            room.acquire()
            done.append(pool.submit(work, pages, numbers))

        with ThreadPoolExecutor(THREADS) as pool:
            if paging == "cursor":
                held: list[Page] = []
                for page in self.following():
                    held.append(page)
                    if len(held) == some:
                        send(held)
                        held = []
                if held:
                    send(held)
            else:
                first = self.page()
                send([first])
                for number in range(2, first.pages + 1, some):
                    send([], range(number, min(number + some, first.pages + 1)))
        for one in done:
            one.result()
        if self.frames:
            self.write(*self.ready())


if __name__ == "__main__":
    _, url, paging, size, shape, folder = sys.argv
    Limit(url, shape, Path(folder)).run(paging, int(size))
