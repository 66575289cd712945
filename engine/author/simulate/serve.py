"""The simulated vendor on loopback: real HTTP with keep-alive, signed requests only, the page's own paging."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from engine.author.simulate.form import Form
from engine.author.simulate.routes import Routes, within
from engine.core.clock import Clock
from engine.core.encoded import encoded
from engine.core.errors import Json
from engine.core.kinds import Auth, PageSize, Paginator, Served
from engine.core.wire import Page, Request, request_to

PAGE = 25
"""Where a paginator bears with shorter pages than it asks for, they have at most so many records."""
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Desk:
    """Answers requests out of a world that does not change any more; many threads may ask at once."""

    forms: Mapping[str, Form]
    routes: Routes
    auth: Auth | None
    clock: Clock

    def answer(self, request: Request) -> Page:
        """What the vendor says to a request."""
        now = self.clock.now()
        if self.auth:
            if (granted := self.auth.grant(request, now)) is not None:
                return granted
            if not self.auth.admit(request, now):
                return _refusal(request, 401, "UNAUTHENTICATED", "the request is not signed as it should be")
        route = self.routes.find(request)
        if route is None:
            return _refusal(request, 404, "NOT_FOUND", f"there is nothing at {urlsplit(request.url).path}")
        form = self.forms[route.unit.asked.name]
        rows = within(route, form, request)
        try:
            served = serve(form.endpoint.paginate, request, rows, form)
        except (ValueError, TypeError):
            return _refusal(request, 400, "INVALID_ARGUMENT", "there is no such page")
        return _page(request, served, form)


def serve(paginator: Paginator | None, request: Request, rows: list[Json], form: Form) -> Served:
    """One page of the rows; a shorter one than was asked for, where the paginator goes on all the same."""
    if paginator is None or form.one:
        return Served(rows)
    size = getattr(paginator, "size", None)
    if isinstance(size, PageSize) and size.asked(request) > PAGE:
        short = paginator.serve(request.put(size.send, PAGE), rows)
        if len(short.rows) < PAGE or paginator.after(paginator.start(), _page(request, short, form)) is not None:
            return short
    return paginator.serve(request, rows)


def _page(request: Request, served: Served, form: Form) -> Page:
    body = form.envelop([encoded(row, form.endpoint.decode_fields) for row in served.rows])
    for path, value in served.answer.items():
        if isinstance(body, dict):
            _put(body, path.split("."), value)
    headers = {**JSON, **{name.lower(): value for name, value in served.headers.items()}}
    rows = [json.dumps(row).encode() for row in served.rows]
    return Page(request, 200, headers, json.dumps(body, ensure_ascii=False).encode(), rows)


def _put(body: dict[str, Json], keys: list[str], value: Json) -> None:
    for key in keys[:-1]:
        inner = body.setdefault(key, {})
        if not isinstance(inner, dict):
            return
        body = inner
    body[keys[-1]] = value


def _refusal(request: Request, status: int, word: str, message: str) -> Page:
    error = {"error": {"code": status, "message": message, "status": word}}
    return Page(request, status, JSON, json.dumps(error).encode())


class Handler(BaseHTTPRequestHandler):
    """Turns what comes over the wire into a Request of the real vendor, and the answer back."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer goes out in two writes, and the second would wait 40 ms
    server: Server

    def do_GET(self) -> None:
        """Answer a read."""
        self._answer()

    def do_POST(self) -> None:
        """Answer a read that has a body, or a sign-in."""
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        content = self.rfile.read(length)
        body, form = _decoded(content, self.headers.get("content-type", ""))
        url = self.server.address_of(self.path)
        request = request_to(self.command, url, header=tuple(self.headers.items()), body=body, form=form)
        page = self.server.desk.answer(request)
        self.send_response(page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what a run has to say goes to its own sink."""


class Server(ThreadingHTTPServer):
    """The desk behind a free port of 127.0.0.1."""

    daemon_threads = True

    def __init__(self, desk: Desk, schemes: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.desk, self._schemes = desk, schemes

    def reach(self, url: str) -> str:
        """Where an address of the real vendor is answered: the host becomes the first piece of the path."""
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return f"http://127.0.0.1:{self.server_address[1]}/{parts.netloc}{parts.path}{query}"

    def address_of(self, path: str) -> str:
        """The real vendor's address behind a path of this server."""
        host, _, rest = path.lstrip("/").partition("/")
        return f"{self._schemes.get(host.lower(), 'https')}://{host}/{rest}"


def _decoded(content: bytes, kind: str) -> tuple[Json, bool]:
    """The body of a request, and whether it is a form."""
    if not content:
        return None, False
    if "form" in kind:
        return dict(parse_qsl(content.decode(), keep_blank_values=True)), True
    try:
        return json.loads(content), False
    except ValueError:
        return content.decode(errors="replace"), False
