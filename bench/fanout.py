"""How fast many small requests go: 10,000 children of one list at 50 ms each, next to a bare client in a loop.

`python bench/fanout.py` prints a Markdown table: one row for each number of requests in flight (32 and 100; others may
follow). The server, each walk and each loop are processes of their own; of three rounds the median counts. Ideal is
what the latency alone allows.
"""

from __future__ import annotations

import json
import queue
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from measure import ENV, median, say, started, table

LATENCY_SECONDS = 0.05
CHILDREN = 10_000
ROUNDS = 3
PAGE = """
version: 1
tool: fanout
params: { url: { doc: Where the server is }, flight: { type: integer, doc: How many requests are in flight } }
connection: { base_url: "${param.url}", concurrency: "${param.flight}" }
endpoints:
  parents: /parents
  children:
    for_each: { parent: parents }
    get: /parents/${parent.id}/children
    add: { parent_id: "${parent.id}" }
"""
CHILD = json.dumps([{"id": at, "name": f"child {at}", "open": True, "score": at / 10} for at in range(5)]).encode()


def serve(latency: float, children: int) -> None:
    """Serve until killed, each answer after the latency; the first line on the standard output is the port.

    As little as can be is done for a request, on the cores of whoever asks: the request of a client that waits for its
    answer comes in one piece, and as all wait as long, the answers go out in the order of the requests.
    """
    parents, child = answer(json.dumps([{"id": f"p{at:05d}"} for at in range(children)]).encode()), answer(CHILD)
    due: deque[tuple[float, socket.socket, bytes]] = deque()
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    selector.register(listener, selectors.EVENT_READ)
    say(str(listener.getsockname()[1]))
    while True:
        for key, _ in selector.select(max(0.0, due[0][0] - time.monotonic()) if due else None):
            line = key.fileobj
            assert isinstance(line, socket.socket)
            if line is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
            elif head := line.recv(65_536):
                body = parents if head.startswith(b"GET /parents HTTP") else child
                due.append((time.monotonic() + latency, line, body))
            else:
                selector.unregister(line)
                line.close()
        now = time.monotonic()
        while due and due[0][0] <= now:
            due[0][1].sendall(due.popleft()[2])


def answer(body: bytes) -> bytes:
    """An answer with its head."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@contextmanager
def serving(latency: float = LATENCY_SECONDS, children: int = CHILDREN) -> Iterator[str]:
    """The address of a server in a process of its own."""
    with started([sys.executable, __file__, "serve", str(latency), str(children)]) as said:
        yield f"http://127.0.0.1:{said}"


def walk(url: str, flight: int) -> None:
    """Collect all children through a page; prints seconds and CPU as JSON."""
    from engine.app import Engine
    from engine.app.config import Config

    import_module("engine.app.running")  # it would be read behind the first request, as nothing of the loop is
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "fanout.yaml")
        page.write_text(PAGE)
        engine = Engine(config=Config.model_validate({"storage": Path(folder, "storage")}), env={})
        where = {"url": url, "flight": str(flight)}
        engine.plan(page, params=where)
        with measured():
            result = engine.collect(page, params=where)
    assert result.status == "succeeded", result.as_json()
    assert sum(one.pages for one in result.collections) == CHILDREN + 1, result.collections


def loop(url: str, flight: int) -> None:
    """Ask for all children with a client a thread, and do nothing with the answers; prints seconds and CPU as JSON."""
    import httpx2

    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    for at in range(CHILDREN):
        left.put(at)

    def ask() -> None:
        with httpx2.Client() as client:
            while True:
                try:
                    at = left.get_nowait()
                except queue.Empty:
                    return
                client.get(f"{url}/parents/p{at:05d}/children").raise_for_status()

    threads = [threading.Thread(target=ask) for _ in range(flight)]
    with measured():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@contextmanager
def measured() -> Iterator[None]:
    """Print the seconds and the CPU seconds of what happens inside."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    yield
    seconds, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    say(json.dumps({"seconds": seconds, "cpu": cpu}))


def run(what: str, url: str, how: str, script: str = __file__) -> dict[str, float]:
    """The seconds and the CPU of a walk or a loop in a process of its own, from its first request on."""
    words = [sys.executable, script, what, url, how]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, env=ENV)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main(flights: list[int]) -> None:
    """Print a table of one row for each number of requests in flight."""
    rows = []
    for flight in flights:
        found: dict[str, list[dict[str, float]]] = {"walk": [], "loop": []}
        for _ in range(ROUNDS):
            for what, rounds in found.items():
                with serving() as url:
                    rounds.append(run(what, url, str(flight)))
        cells = [str(flight)]
        for rounds in found.values():
            rate = CHILDREN / median(one["seconds"] for one in rounds)
            cpu = median(one["cpu"] for one in rounds) / CHILDREN * 1e6
            cells += [f"{rate:,.0f}", f"{rate * LATENCY_SECONDS / flight:.0%}", f"{cpu:,.0f}"]
        rows.append(cells)
    heads = ["in flight", "engine, requests/s", "of ideal", "CPU µs", "bare client, requests/s", "of ideal", "CPU µs"]
    say(table(heads, rows))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", latency, children]:
            serve(float(latency), int(children))
        case ["walk", url, flight]:
            walk(url, int(flight))
        case ["loop", url, flight]:
            loop(url, int(flight))
        case flights:
            main([int(one) for one in flights] or [32, 100])
