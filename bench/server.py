"""The vendor of the benchmarks: pages that are ready before anybody asks, from a process of its own.

`python bench/server.py cursor 1000 plain flat 1000000` prints its port and serves until it is killed. A plain page is
one buffer a connection, in which only the six digits of each id are written anew; a gzip page is compressed beforehand,
so there must not be too many. `/used` answers with the CPU seconds of this process. A page costs it one `recv`, six
strided copies and a `send`: about 0.15 s of CPU for each GB.
"""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import records

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"


@dataclass
class Pages:
    """So many records in pages of one size, each with what leads to the next one."""

    paging: str
    size: int
    shape: str
    count: int

    def __post_init__(self) -> None:
        rows = b", ".join(records.record(self.shape, at) for at in range(self.size))
        self.stride = records.WIDTHS[self.shape] + 2
        self.hole = rows.index(records.HOLE.encode())
        self.last = -(-self.count // self.size) - 1
        self.lead = len(self.leading(0))
        self.blank = self.leading(0) + rows + b"]}"

    def leading(self, number: int) -> bytes:
        """What stands before the records of a page, always as long."""
        if self.paging == "cursor":
            following = b'"%06d"' % (number + 1) if number < self.last else b"null    "
            return b'{"next": %s, "data": [' % following
        return b'{"page": %7d, "pages": %7d, "total": %9d, "data": [' % (number + 1, self.last + 1, self.count)

    def write(self, body: bytearray, number: int) -> None:
        """Make a body the page of this number: what leads from it, and its ids."""
        body[: self.lead] = self.leading(number)
        for at, digit in enumerate(b"%06d" % number, self.lead + self.hole):
            body[at :: self.stride] = bytes([digit]) * self.size


def plain(pages: Pages) -> Callable[[], Callable[[int], list[bytes | memoryview]]]:
    """For each connection a buffer of its own, as two of them may be sent at once."""
    head = HEAD % (b"", len(pages.blank))

    def connection() -> Callable[[int], list[bytes | memoryview]]:
        body = bytearray(pages.blank)
        view = memoryview(body)

        def answer(number: int) -> list[bytes | memoryview]:
            pages.write(body, number)
            return [head, view]

        return answer

    return connection


def packed(pages: Pages) -> Callable[[], Callable[[int], list[bytes | memoryview]]]:
    """Every page compressed now, with its head."""
    body, ready = bytearray(pages.blank), []
    for number in range(pages.last + 1):
        pages.write(body, number)
        small = gzip.compress(body, 6)
        ready.append(HEAD % (b"Content-Encoding: gzip\r\n", len(small)) + small)
    return lambda: lambda number: [ready[number]]


def numbered(head: bytes, paging: str) -> int:
    """Which page is asked for, from zero."""
    _, found, rest = head.partition(b" HTTP/")[0].partition(b"cursor=" if paging == "cursor" else b"page=")
    number = int(rest.partition(b"&")[0]) if found else 0
    return number - (paging == "page_number" and bool(found))


def talk(line: socket.socket, paging: str, answer: Callable[[int], list[bytes | memoryview]]) -> None:
    """Answer one connection until it is closed."""
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b""
    while more := line.recv(65_536):
        head += more
        if not head.endswith(b"\r\n\r\n"):
            continue
        if head.startswith(b"GET /used "):
            used = b"%.4f" % time.process_time()
            parts: list[bytes | memoryview] = [HEAD % (b"", len(used)) + used]
        else:
            parts = answer(numbered(head, paging))
        head, sent = b"", line.sendmsg(parts)
        for part in parts:
            if sent < len(part):
                line.sendall(memoryview(part)[sent:])
            sent = max(0, sent - len(part))
    line.close()


def serve(paging: str, size: int, coding: str, shape: str, count: int) -> None:
    """Serve until killed; the first line on the standard output is the port."""
    pages = Pages(paging, size, shape, count)
    connection = plain(pages) if coding == "plain" else packed(pages)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        line, _ = listener.accept()
        threading.Thread(target=talk, args=(line, paging, connection()), daemon=True).start()


if __name__ == "__main__":
    _, paging, size, coding, shape, count = sys.argv
    serve(paging, int(size), coding, shape, int(count))
