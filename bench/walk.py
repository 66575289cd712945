"""How long the whole walk takes: records from a loopback server to checked, enriched tables, by their number.

`python bench/walk.py 200000 1000000` prints one row for each number of records. Each walk is a process of its own, so
that its peak memory is its own; the server is another one.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PAGE_ROWS = 1_000
MARK = b"@page@"
TEAMS = ("core", "edge", "data", "risk")
SEVERITIES = ("low", "medium", "high", "critical")
PAGE = """
version: 1
tool: walk
connection: { base_url: "${param.url}" }
params: { url: { doc: Where the server is } }
secrets: { pepper: { env: PEPPER } }
endpoints:
  findings:
    get: /findings
    records: data
    paginate: { cursor: { read: answer.next, send: query.cursor } }
tables:
  findings:
    from: findings
    key: id
    columns:
      id: { path: id, type: string }
      title: { path: title, type: string }
      severity: { path: severity, type: string }
      score: { path: score, type: float }
      count: { path: count, type: integer }
      open: { path: open, type: boolean }
      created_at: { path: created, type: datetime }
      seen_at: { path: seen, type: datetime, unit: ms }
      owner_email: { path: owner.email, type: string }
      team: { path: owner.team, type: string }
      tags: { path: tags, type: list }
      first_value: { path: "credentials[?status=='approved'] | [0].key", type: string }
    validate:
      - required: [id, title, severity]
      - unique: id
      - one_of: { column: severity, values: [low, medium, high, critical] }
      - one_of: { column: team, values: [core, edge, data, risk], level: warning }
      - range: { column: score, min: 0, max: 10 }
      - range: { column: count, min: 0 }
      - pattern: { column: owner_email, regex: "^[^@]+@[^@]+$" }
      - pattern: { column: id, regex: "^[0-9]{10}$" }
      - expression: { seen_after_created: seen_at >= created_at }
      - forbid: [token]
      - row_count: { min: 1 }
      - freshness: { column: created_at, within: 36500d }
    enrich:
      - derive: { grade: "CASE WHEN score > 7 THEN 'high' ELSE 'low' END" }
      - derive: { age_days: "date_diff('day', created_at, run.started_at)" }
      - map: { column: severity, values: { critical: severe }, otherwise: keep }
      - mask: { column: owner_email, hmac: "${secret.pepper}" }
      - rename: { title: name }
"""


def page_body() -> bytes:
    """A page of records of about 640 bytes; MARK stands for its number."""
    records = [
        {
            "id": f"@page@{at:04d}",
            "title": f"Finding number {at} of a page, with a sentence that says what was found and where",
            "severity": SEVERITIES[at % 4],
            "score": at % 100 / 10,
            "count": at,
            "open": at % 3 == 0,
            "created": f"2026-03-{at % 28 + 1:02d}T10:00:00Z",
            "seen": str(1_780_000_000_000 + at),
            "owner": {"email": f"owner{at % 97}@example.com", "team": TEAMS[at % 4], "phone": "+49 30 1234567"},
            "tags": ["api", "rest", TEAMS[at % 4]],
            "credentials": [{"key": f"k{at}", "status": "revoked"}, {"key": f"l{at}", "status": "approved"}],
            "notes": "x" * 140,
        }
        for at in range(PAGE_ROWS)
    ]
    return json.dumps(records).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers one page after the other, kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rows = page_body()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        pages, number = int(parts.path.split("/")[1]), int(parse_qs(parts.query).get("cursor", ["0"])[0])
        following = b'"%d"' % (number + 1) if number + 1 < pages else b"null"
        body = b'{"next":%s,"data":%s}' % (following, self.rows.replace(MARK, b"%06d" % number))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.wfile.write(head + body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed but the port and the tables."""


def serve() -> None:
    """Serve until killed; the first line on the standard output is the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    say(str(server.server_address[1]))
    server.serve_forever()


@contextmanager
def serving() -> Iterator[str]:
    """The address of a server in a process of its own."""
    child = subprocess.Popen([sys.executable, __file__, "serve"], stdout=subprocess.PIPE, text=True)
    assert child.stdout
    try:
        yield f"http://127.0.0.1:{child.stdout.readline().strip()}"
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def walk(url: str, records: int) -> None:
    """Collect and process so many records; prints seconds, CPU and peak memory as JSON."""
    from engine.app import Engine
    from engine.app.config import Config

    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "walk.yaml")
        page.write_text(PAGE)
        env = {"PEPPER": "pepper", "ENCRYPTION_KEY": os.environ.get("ENCRYPTION_KEY", "")}
        engine = Engine(config=Config.model_validate({"storage": Path(folder, "storage")}), env=env)
        where = {"url": f"{url}/{records // PAGE_ROWS}"}
        began = time.perf_counter()
        engine.collect(page, params=where)
        collected = time.perf_counter()
        result = engine.process(page, params=where)
        ended = time.perf_counter()
    assert result.status == "succeeded", result.as_json()
    assert result.records_processed == records, result.records_processed
    used = resource.getrusage(resource.RUSAGE_SELF)
    say(
        json.dumps(
            {
                "collect": collected - began,
                "process": ended - collected,
                "cpu": used.ru_utime + used.ru_stime,
                "peak_mb": used.ru_maxrss / 1024,
            }
        )
    )


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(counts: list[int]) -> None:
    """Print a table of one row for each number of records."""
    say(f"{'records':>10} {'collect s':>10} {'process s':>10} {'CPU s':>8} {'peak MB':>8} {'records/s':>10}")
    for records in counts:
        with serving() as url:
            done = subprocess.run(
                [sys.executable, __file__, "walk", url, str(records)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            )
        found = json.loads(done.stdout)
        rate = records / (found["collect"] + found["process"])
        say(
            f"{records:>10,} {found['collect']:>10.2f} {found['process']:>10.2f} {found['cpu']:>8.2f} "
            f"{found['peak_mb']:>8.0f} {rate:>10,.0f}"
        )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["walk", url, records]:
            walk(url, int(records))
        case counts:
            main([int(one.replace("_", "")) for one in counts] or [200_000, 1_000_000])
