"""The simulated vendor's door on loopback: what comes over the wire becomes a request to the real vendor's address."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from engine.core import jsontext
from engine.core.errors import Json
from engine.core.wire import FORM, Media, Page, Place, Request, request_to

HOST = Place("header.Host")


class Handler(BaseHTTPRequestHandler):
    """Real HTTP with keep-alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer goes out in two writes, and the second would wait 40 ms
    server: Door

    def do_GET(self) -> None:
        """Answer a request; one with a body is answered in the same way."""
        length = int(self.headers.get("content-length") or 0)
        body, media = decoded(self.rfile.read(length), self.headers.get("content-type", ""))
        url = address_of(self.path)
        request = request_to(self.command, url, header=tuple(self.headers.items()), body=body, media=media)
        # A signature may cover the host, and that is the real vendor's.
        page = self.server.answer(request.put(HOST, urlsplit(url).netloc))
        self.send_response(page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    do_POST = do_PUT = do_PATCH = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what a run has to say goes to its own sink."""


class Door(ThreadingHTTPServer):
    """A free port of 127.0.0.1."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Request], Page]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed, or hung up, is no news; a defect is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def reach(self, url: str) -> str:
        """Where an address of the real vendor is answered: scheme and host become the first pieces of the path."""
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"http://127.0.0.1:{self.server_address[1]}/{parts.scheme}/{parts.netloc}{parts.path}{query}"


def address_of(path: str) -> str:
    """The real vendor's address behind a path of the door."""
    scheme, _, rest = path.lstrip("/").partition("/")
    return f"{scheme}://{rest}"


def decoded(content: bytes, kind: str) -> tuple[Json, Media]:
    """The body of a request, and how it came; a field that comes several times is a list."""
    if not content:
        return None, "json"
    if kind.startswith(FORM):
        return _fields(parse_qsl(content.decode(), keep_blank_values=True)), "form"
    if kind.startswith("multipart/form-data"):
        return _fields(_parts(content, kind.partition("boundary=")[2].strip('"'))), "multipart"
    try:
        return jsontext.read(content), "json"
    except jsontext.NoJson:
        return content.decode(errors="replace"), "json"


def _parts(content: bytes, boundary: str) -> Iterator[tuple[str, str]]:
    """Name and value of each part of a form. Source: RFC 7578."""
    for part in (b"\r\n" + content).split(f"\r\n--{boundary}".encode())[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        if name := re.search(r'name="([^"]*)"', head.decode()):
            yield unquote(name.group(1)), value.decode(errors="replace")


def _fields(pairs: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> dict[str, Json]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
