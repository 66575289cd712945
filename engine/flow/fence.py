"""Where requests may go: to the API's own host and to those the page allows, never from https to http."""

from __future__ import annotations

from collections.abc import Set

from engine.core.errors import CollectionError
from engine.core.wire import Request, origin


def fence(url: str, hosts: Set[str], asked: Request, what: str, *, in_tls: bool) -> None:
    """Raise CollectionError when an address leads to a host that is not allowed, or out of TLS where one was in it."""
    scheme, host, _ = origin(url)
    if scheme not in ("http", "https") or not allowed(host, hosts):
        raise CollectionError(
            f"{what} leads to {host or url}, which is not allowed",
            f"if the vendor really does that, add it: connection.allow_hosts: [{host}]",
            context={"request": asked.describe()},
        )
    if in_tls and scheme == "http":
        raise CollectionError(f"{what} leads from https to http at {host}", "", context={"request": asked.describe()})


def allowed(host: str, hosts: Set[str]) -> bool:
    """Whether a host is one of these; `*.acme.example` stands for all below that one, at any depth."""
    return host in hosts or any(one.startswith("*.") and host.endswith(one[1:]) and host != one[1:] for one in hosts)
