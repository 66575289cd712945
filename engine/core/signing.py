"""The texts of a sign-in that are filled for each request: what is signed, and what a token claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlsplit

from engine.core import template
from engine.core.errors import ConfigError, Mistake
from engine.core.template import Template
from engine.core.wire import Request

REQUEST = ("method", "url", "host", "path", "query", "sorted_query", "target", "body")
"""What `request` has in such a text; `target` is the path with its query, all letter by letter as sent."""


class SigningText(Template):
    """A text that is filled when a request is signed, unless it reads nothing but secrets and params."""

    names: ClassVar[Mapping[str, frozenset[str] | None]] = {"request": frozenset(REQUEST), "nonce": frozenset()}
    """The namespaces that are filled for each request."""

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake when the text cannot be compiled, or names what no one moment knows."""
        names = {one.namespace for one in template.compile(text).references}
        early, late = sorted(names & {"param", "secret"}), sorted(names & set(cls.names))
        if early and late:
            fix = f"of one request are known: {', '.join(cls.names)}"
            raise Mistake("template", f"{early[0]} and {late[0]} cannot stand in one text", fix)

    @property
    def late(self) -> bool:
        """Whether it is filled for each request, not when a run is planned."""
        return any(one.namespace in self.names for one in template.compile(self).references)


def fill_in(text: SigningText, scope: Mapping[str, object]) -> str:
    """The text of one request; raises ConfigError where it names what a request does not have."""
    try:
        return str(template.render(text, scope))
    except Mistake as mistake:
        raise ConfigError(f"{text}: {mistake}", mistake.fix) from None


def of_request(request: Request) -> dict[str, str]:
    """The namespace `request`."""
    parts = urlsplit(request.full_url)
    _, content = request.content or ("", b"")
    return {
        "method": request.method,
        "url": request.full_url,
        "host": host(request),
        "path": parts.path or "/",
        "query": parts.query,
        "sorted_query": "&".join(sorted(parts.query.split("&"))),
        "target": target(request),
        "body": content.decode(),
    }


def host(request: Request) -> str:
    """The host as the header Host has it: with its port where that is not the scheme's own."""
    scheme, name, port = request.origin
    return name if port == {"http": 80, "https": 443}.get(scheme) else f"{name}:{port}"


def target(request: Request) -> str:
    """The path with its query, as in the first line of the request."""
    parts = urlsplit(request.full_url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
