"""Proxies: requests go through the one that the page or the environment names, and its credentials stay unseen."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import CollectionError, ConfigError, SpecError
from engine.flow.line import Patience
from engine.flow.trust import Proxy, Trust
from tests.flow.certificates import Authority
from tests.flow.desk import Desk, Tiny, of
from tests.flow.wire import answering, ask, head_of, json_answer, serving

OURS = Authority()
LONG = Patience(10, 10, 10)
THINGS = json_answer(b'[{"id": 1}]')


@dataclass
class Hop:
    """A proxy that leads every tunnel to one port of this machine, and answers what is not in one itself."""

    port: int = 0
    to: int = 0
    heads: list[str] = field(default_factory=list)
    """What it was asked, up to each empty line."""
    status: str = "200 OK"

    def talk(self, connection: socket.socket, over: threading.Event) -> None:
        """One connection."""
        while head := head_of(connection).decode():
            self.heads.append(head)
            if not head.startswith("CONNECT"):
                connection.sendall(THINGS.replace(b"200 OK", self.status.encode()))
                continue
            connection.sendall(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\n\r\n".encode())
            if self.status.startswith("2"):
                self._join(connection)
                return

    def _join(self, connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self.to)) as far:
            back = threading.Thread(target=_copy, args=(far, connection))
            back.start()
            _copy(connection, far)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def hop() -> Iterator[Hop]:
    found = Hop()
    with serving(found.talk) as found.port:
        yield found


def _trust(hop: Hop, user: str = "") -> Trust:
    return Trust(page_proxy=Proxy.of(f"http://{user}127.0.0.1:{hop.port}"), more=(OURS.pem,))


def test_http_is_asked_of_the_proxy_by_its_whole_address(hop: Hop) -> None:
    page = ask("http://vendor.example/things?a=1", LONG, trust=_trust(hop))
    assert (200, b'[{"id": 1}]') == (page.status, page.body)
    assert "GET http://vendor.example/things HTTP/1.1" == hop.heads[0].splitlines()[0].replace("?a=1", "")
    assert "Host: vendor.example" in hop.heads[0]


def test_https_goes_through_a_tunnel(hop: Hop, tmp_path: Path) -> None:
    with serving(answering(THINGS), OURS.serving(tmp_path, "vendor.example")) as hop.to:
        page = ask("https://vendor.example/things", LONG, trust=_trust(hop))
    assert (200, b'[{"id": 1}]') == (page.status, page.body)
    assert ["CONNECT vendor.example:443"] == [head.splitlines()[0].partition(" HTTP/1.")[0] for head in hop.heads]


def test_the_proxy_is_told_who_asks_and_the_vendor_is_not(hop: Hop, tmp_path: Path) -> None:
    heard: list[bytes] = []

    def talk(connection: socket.socket, over: threading.Event) -> None:
        heard.append(head_of(connection))
        connection.sendall(THINGS)

    with serving(talk, OURS.serving(tmp_path, "vendor.example")) as hop.to:
        ask("https://vendor.example/things", LONG, trust=_trust(hop, "me:p%40ss@"))
    told = base64.b64encode(b"me:p@ss").decode()
    assert f"Proxy-Authorization: Basic {told}" in hop.heads[0]
    assert b"proxy-authorization" not in heard[0].lower()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_to_know_who_asks_is_told_with_a_mend(hop: Hop, scheme: str) -> None:
    hop.status = "407 Proxy Authentication Required"
    with pytest.raises(CollectionError) as raised:
        ask(f"{scheme}://vendor.example/things", LONG, trust=_trust(hop, "me:secret-4711@"), tries=5)
    assert f"the proxy 127.0.0.1:{hop.port} wants to know who asks (status 407)" == raised.value.message
    assert "${secret.proxy_password}" in raised.value.fix
    assert "4711" not in str(raised.value)
    assert 1 == len(hop.heads)


def test_a_proxy_that_does_not_reach_the_vendor_is_tried_again_and_named(hop: Hop) -> None:
    hop.status = "502 Bad Gateway"
    with pytest.raises(CollectionError) as raised:
        ask("https://vendor.example/things", LONG, trust=_trust(hop, "me:secret-4711@"), tries=3)
    assert f"the proxy 127.0.0.1:{hop.port} refused with 502 Bad Gateway, after 3 tries" in raised.value.message
    assert "4711" not in str(raised.value)


def test_a_proxy_that_is_not_there_is_named_without_its_credentials() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        trust = Trust(page_proxy=Proxy.of(f"http://me:secret-4711@127.0.0.1:{taken.getsockname()[1]}"))
        with pytest.raises(CollectionError, match=r"no connection to the proxy 127\.0\.0\.1") as raised:
            ask("http://vendor.example/things", LONG, trust=trust)
    assert "4711" not in str(raised.value)


BAD = [
    "ftp://proxy.example",
    "https://proxy.example:8080",
    "http://",
    "http://proxy.example:port",
    "socks5://p.example",
]


@pytest.mark.parametrize("address", BAD)
def test_what_is_no_proxy_is_told(address: str) -> None:
    scheme, _, place = address.partition("://")
    with pytest.raises(ConfigError, match="is no address of a proxy") as raised:
        Proxy.of(f"{scheme}://me:secret-4711@{place}")
    assert "4711" not in str(raised.value)


def test_a_proxy_does_not_print_its_credentials() -> None:
    assert "4711" not in repr(Proxy.of("http://me:secret-4711@proxy.example:8080"))


# --- the environment


@pytest.fixture
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("_bare")
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_without_one_on_the_page_the_environments_is_used(hop: Hop, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, f"http://127.0.0.1:{hop.port}")
    assert 200 == ask("http://vendor.example/things", LONG).status
    assert 1 == len(hop.heads)


@pytest.mark.usefixtures("_bare")
def test_no_proxy_spares_a_host(hop: Hop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{hop.port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(answering(THINGS)) as port:
        assert 200 == ask(f"http://127.0.0.1:{port}/things", LONG).status
    assert [] == hop.heads


@pytest.mark.usefixtures("_bare")
def test_the_page_wins_over_the_environment(hop: Hop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert 200 == ask("http://vendor.example/things", LONG, trust=_trust(hop)).status


@pytest.mark.usefixtures("_bare")
def test_a_simulated_vendor_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(answering(THINGS)) as port:
        assert 200 == ask(f"http://127.0.0.1:{port}/things", LONG, trust=Trust(direct=True)).status


# --- on a page


def test_a_page_names_its_proxy_with_credentials_from_secrets(hop: Hop, desk: Desk) -> None:
    desk.env = {"USER": "me", "PASSWORD": "secret-4711"}
    proxy = f"http://${{secret.user}}:${{secret.password}}@127.0.0.1:{hop.port}"
    secrets = {"user": {"env": "USER"}, "password": {"env": "PASSWORD"}}
    connection = {"base_url": "http://vendor.example", "proxy": proxy}
    result = desk.collect({"things": "/things"}, connection=connection, secrets=secrets)
    assert "succeeded" == result.status
    assert f"Basic {base64.b64encode(b'me:secret-4711').decode()}" in hop.heads[0]


def test_the_whole_address_may_be_a_secret_and_is_never_shown(hop: Hop, desk: Desk) -> None:
    hop.status = "407 Who"
    desk.env = {"PROXY": f"http://me:secret-4711@127.0.0.1:{hop.port}"}
    connection = {"base_url": "http://vendor.example", "proxy": "${secret.proxy}"}
    result = desk.collect({"things": "/things"}, connection=connection, secrets={"proxy": {"env": "PROXY"}})
    assert "wants to know who asks" in of(result, "things").missing[0]
    kept = [path.read_bytes() for path in desk.storage.rglob("*") if path.is_file()]
    assert [] == [body for body in [str(result.as_json()).encode(), *kept] if b"secret-4711" in body]


def test_credentials_that_stand_on_the_page_are_refused(desk: Desk) -> None:
    with pytest.raises(SpecError, match="credentials stand in an address") as raised:
        desk.collect({"things": "/things"}, connection={"proxy": "http://me:secret-4711@proxy.example"})
    assert "4711" not in str(raised.value)


def test_a_param_may_leave_the_proxy_out(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = [{"id": 1}]
    page: dict[str, Any] = {"params": {"proxy": {"optional": True}}, "connection": {"proxy": "${param.proxy}"}}
    assert "succeeded" == desk.collect({"things": "/things"}, **page).status
