"""How the cost of a run grows: with the number of records, with that of columns, with that of endpoints.

`python bench/growth.py [records …]` prints three Markdown tables; without numbers it walks 10 k, 100 k and 1 M records,
`10000000` is a number it takes as well. Each run and the server are processes of their own.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from measure import HERE, Case, Cost, run, say, scratch, serving, started, table

RECORDS = (10_000, 100_000, 1_000_000)
COLUMNS = (1, 10, 50, 100, 200)
OF_COLUMNS = 100_000
ENDPOINTS = (10, 100, 1_000)
OF_ENDPOINTS = 10
PAGE_ROWS = 1_000
HEAD = """
version: 1
tool: growth
params: { url: { doc: Where the server is } }
connection: { base_url: "${param.url}" }
endpoints:
"""
ENDPOINT = """
  {name}:
    get: /{fields}/{size}/{pages}
    records: data
    paginate: {{ cursor: {{ read: answer.next, send: query.cursor }} }}
"""
KINDS = ("string", "integer", "float", "boolean", "datetime")
HOLE = "@@@@@@"
"""Where the six digits of the page's number go: no page equals another."""


@functools.lru_cache(8)
def rows(fields: int, size: int) -> bytes:
    """Records of so many fields, of five kinds by turns."""
    found = [
        {
            f"f{at}": (f"{HOLE} value {row} of {at}", row, row / 7, row % 3 == 0, "2026-03-01T10:00:00Z")[at % 5]
            for at in range(fields)
        }
        for row in range(size)
    ]
    return json.dumps(found).encode()


class Vendor(asyncio.Protocol):
    """Answers `/FIELDS/SIZE/PAGES?cursor=N` with a page of such records."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.heads = transport, b""

    def data_received(self, data: bytes) -> None:
        self.heads += data
        while b"\r\n\r\n" in self.heads:
            head, _, self.heads = self.heads.partition(b"\r\n\r\n")
            path, _, query = head.split(b" ")[1].partition(b"?cursor=")
            fields, size, pages = (int(one) for one in path.split(b"/")[1:])
            following = int(query or 0) + 1
            body = b'{"next": %s, "data": %s}' % (
                b'"%d"' % following if following < pages else b"null",
                rows(fields, size).replace(HOLE.encode(), b"%06d" % following),
            )
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            self.transport.write(body)


async def serve() -> None:
    """Serve until killed; the first line on the standard output is the port."""
    server = await asyncio.get_running_loop().create_server(Vendor, "127.0.0.1", 0)
    say(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


def of_columns(columns: int) -> str:
    """A page of one table of so many columns, with the records for it."""
    endpoint = ENDPOINT.format(name="rows", fields=columns, size=PAGE_ROWS, pages=OF_COLUMNS // PAGE_ROWS)
    named = "".join(f"      f{at}: {{ path: f{at}, type: {KINDS[at % 5]} }}\n" for at in range(columns))
    return f"{HEAD}{endpoint}tables:\n  rows:\n    from: rows\n    columns:\n{named}"


def of_endpoints(endpoints: int) -> str:
    """A page of so many endpoints of one small page each, and as many tables."""
    return HEAD + "".join(
        ENDPOINT.format(name=f"e{at}", fields=5, size=OF_ENDPOINTS, pages=1) for at in range(endpoints)
    )


def walk(page: Path, url: str, records: int) -> None:
    """Run a page, and see that all came."""
    from engine.app import Engine
    from engine.app.config import Config

    engine = Engine(config=Config.model_validate({"storage": page.parent / "storage"}), env={})
    result = engine.run(page, params={"url": url})
    assert (result.status, result.records_processed) == ("succeeded", records), result.as_json()


def measured(text: str, url: str, records: int) -> Cost:
    """What a run of a page took."""
    with scratch() as folder:
        page = folder / "growth.yaml"
        page.write_text(text)
        return run([sys.executable, HERE / "growth.py", "walk", page, url, str(records)], folder)


def of_records(records: int) -> Cost:
    """What the full walk of so many records took: 12 rules, 5 steps."""
    case = Case(count=records)
    with serving(case) as url, scratch() as folder:
        words = ["full", url, case.paging, str(case.size), case.shape, folder]
        return run([sys.executable, HERE / "ours.py", *words], folder)


def line(many: int, records: int, cost: Cost) -> list[str]:
    """A row: how many, and what that took."""
    return [
        f"{many:,}",
        f"{cost.wall:.2f}",
        f"{cost.cpu:.2f}",
        f"{cost.cpu / records * 1e6:,.1f}",
        f"{cost.peak_mb:,.0f}",
    ]


def main(counts: Iterable[int]) -> None:
    """Print the tables."""
    heads = ["wall s", "CPU s", "CPU µs a record", "peak MB"]
    say(table(["records (12 rules, 5 steps)", *heads], (line(many, many, of_records(many)) for many in counts)))
    say()
    with started([sys.executable, str(HERE / "growth.py"), "serve"]) as port:
        url = f"http://127.0.0.1:{port}"
        found = ((many, measured(of_columns(many), url, OF_COLUMNS)) for many in COLUMNS)
        say(
            table(
                [f"columns of {OF_COLUMNS:,} records", *heads], (line(many, OF_COLUMNS, cost) for many, cost in found)
            )
        )
        say()
        found = ((many, measured(of_endpoints(many), url, many * OF_ENDPOINTS)) for many in ENDPOINTS)
        named = f"endpoints of {OF_ENDPOINTS} records"
        say(table([named, *heads], (line(many, many * OF_ENDPOINTS, cost) for many, cost in found)))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(serve())
        case ["walk", page, url, records]:
            walk(Path(page), url, int(records))
        case counts:
            main([int(one.replace("_", "")) for one in counts] or RECORDS)
