"""A small threaded HTTP server that the stand-ins of vendors are built on."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote_to_bytes

JSON_TYPE = "application/json; charset=UTF-8"
HTML = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>"
# RFC 3986, section 3.3: what may stand in a path segment without being escaped, or an escape.
SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*")


class Refusal(Exception):
    """What a vendor answers instead of data; raised in a handler and sent as it is."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, whole."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON_TYPE})

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        """An answer whose body is this value."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(status, body, {"Content-Type": JSON_TYPE, **{k.replace("_", "-"): v for k, v in headers.items()}})


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; `target` is the path with its query, not decoded; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, still escaped."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        """Names and values in the order sent; a plus sign means a blank, as in forms."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def segments(self) -> tuple[str, ...] | None:
        """The path, first cut at its slashes and then decoded; None when it is not properly escaped."""
        parts = self.path.removeprefix("/").split("/")
        if not all(SEGMENT.fullmatch(part) for part in parts):
            return None
        try:
            return tuple(unquote_to_bytes(part).decode() for part in parts)
        except UnicodeDecodeError:
            return None


@dataclass
class Fault:
    """Something that goes wrong for the next `times` requests whose `METHOD target` the pattern is found in."""

    pattern: re.Pattern[str]
    times: int
    answer: Answer | None = None  # None: the true answer
    reset: bool = False


class Server:
    """A vendor on a free port of 127.0.0.1, open inside `with`; its subclasses say what is answered."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.log: list[tuple[Asked, int]] = []
        """Each request with the status it was answered with, in the order of the answers."""

    def answer(self, asked: Asked) -> Answer:
        """What the vendor answers."""
        raise NotImplementedError

    def refusal(self, status: int) -> Answer:
        """An error in the form of this vendor, for faults that name only a status."""
        return Answer.json({"error": status}, status)

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._listener.server_address[1]}"

    def fault(
        self,
        pattern: str,
        *,
        times: int = 1,
        status: int | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        reset: bool = False,
    ) -> None:
        """Plan a fault: a status in the vendor's form, any body or headers, or a connection reset in mid body."""
        answer = None
        if status is not None or body is not None:
            answer = self.refusal(status or 200) if body is None else Answer(status or 200, body)
            answer = Answer(answer.status, answer.body, {**answer.headers, **(headers or {})})
        self._faults.append(Fault(re.compile(pattern), times, answer, reset))

    def redirect(self, pattern: str, to: str, *, times: int = 1, status: int = 302) -> None:
        """Plan a redirect to another address."""
        self.fault(pattern, times=times, status=status, body=b"", headers={"Location": to})

    def html(self, pattern: str, *, times: int = 1) -> None:
        """Plan a sign-in page in HTML under status 200."""
        self.fault(pattern, times=times, status=200, body=HTML, headers={"Content-Type": "text/html; charset=utf-8"})

    def asked(self, pattern: str = "") -> list[tuple[Asked, int]]:
        """The logged requests whose `METHOD target` the pattern is found in."""
        return [seen for seen in list(self.log) if re.search(pattern, f"{seen[0].method} {seen[0].target}")]

    def respond(self, asked: Asked) -> tuple[Answer, bool]:
        """The answer to send, and whether to break off in the middle of it."""
        fault = self._next_fault(f"{asked.method} {asked.target}")
        try:
            answer = (fault and fault.answer) or self.answer(asked)
        except Refusal as refusal:
            answer = refusal.answer
        self.log.append((asked, answer.status))
        return answer, bool(fault and fault.reset)

    def _next_fault(self, line: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.times > 0 and fault.pattern.search(line):
                    fault.times -= 1
                    return fault
        return None

    def __enter__(self) -> Self:
        self._listener = _Listener(("127.0.0.1", self._port), self)
        threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.shutdown()
        self._listener.hang_up()
        self._listener.server_close()


class _Listener(ThreadingHTTPServer):
    """Accepts connections; knows those still open, so that none outlives the server."""

    # server_close joins the threads of connections, which hang_up has ended.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: Server) -> None:
        self.owner = owner
        self.open: set[socket.socket] = set()
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        # The parent asks the name service for the host's full name, which may take seconds.
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def hang_up(self) -> None:
        for connection in list(self.open):
            with contextlib.suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        # The parent says goodbye before it closes, which would turn a planned reset into an orderly end.
        request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.owner.log.append((Asked("BROKEN", str(client_address), {}, b""), 0))


class _Connection(BaseHTTPRequestHandler):
    """One connection, kept alive over many requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        super().finish()

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer, reset = self.server.owner.respond(Asked(self.command, self.path, headers, body))
        head = f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        message = f"{head}Content-Length: {len(answer.body)}\r\n\r\n".encode() + answer.body
        if reset:
            self.wfile.write(message[: len(message) - len(answer.body) // 2 - 1])
            # Lingering for no time makes the close a reset instead of a goodbye.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        else:
            # One write: head and body apart cost a packet and, with delayed acknowledgement, 40 ms.
            self.wfile.write(message)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed; the log is a list."""
