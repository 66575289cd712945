"""Each sign-in against a vendor that was written from its RFC: signed in once, renewed in time, never shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from engine.core.events import nowhere
from engine.core.values import Secret
from engine.core.wire import Request
from engine.flow.fetch import Fetcher, Route
from engine.flow.ledger import Ledger
from engine.flow.line import Patience
from engine.flow.report import Result
from engine.flow.session import Keeper, Pool
from tests.flow.desk import Desk, Time, of
from tests.parts.test_auth import auth
from tests.vendors.signin import PAGES, BasicWay, Behind, CookieWay, OauthWay, TokenWay

THINGS = {"things": {"get": "/things", "paginate": {"page_number": {"send": "query.page"}}}}
EVERY = PAGES + 1
"""So many requests: the last page is empty."""


def collect(desk: Desk, vendor: Behind, settings: dict[str, Any], *, endpoints: Any = None, **env: str) -> Result:
    """Collect the things behind this sign-in; each secret of the page is an environment variable."""
    desk.vendor, desk.env = vendor, env
    secrets = {name: {"env": name} for name in env}
    return desk.collect(endpoints or THINGS, connection={"auth": settings}, secrets=secrets)


def stored(desk: Desk) -> bytes:
    """All that the storage holds besides the ledger's row for what is kept."""
    files = [path for path in desk.storage.rglob("*") if path.is_file() and not path.name.startswith("engine.db")]
    base = sqlite3.connect(desk.storage / "engine.db")
    base.execute("DELETE FROM kept")
    told = "\n".join(base.iterdump())
    base.rollback()
    base.close()
    return b"\n".join([told.encode(), repr(desk.events).encode(), *(path.read_bytes() for path in files)])


def kept(desk: Desk) -> list[str]:
    """The values that the ledger keeps for sign-ins."""
    base = sqlite3.connect(desk.storage / "engine.db")
    found = [value for (value,) in base.execute("SELECT value FROM kept ORDER BY rowid")]
    base.close()
    return found


# --- what is sent as it is


def test_name_and_password_are_read_by_others(desk: Desk) -> None:
    with Behind(BasicWay("zoë", "päss:wörd 4711"), lambda: desk.time.now) as vendor:
        result = collect(desk, vendor, {"basic": {"username": "zoë", "password": "${secret.P}"}}, P="päss:wörd 4711")
        assert ("succeeded", [200] * EVERY) == (result.status, vendor.things())


def test_a_wrong_password_is_sent_once(desk: Desk) -> None:
    with Behind(BasicWay("zoe", "right"), lambda: desk.time.now) as vendor:
        result = collect(desk, vendor, {"basic": {"username": "zoe", "password": "${secret.P}"}}, P="wrong-4711")
        assert ("incomplete", [401]) == (result.status, vendor.things())


def test_an_answer_that_repeats_the_password_is_kept_without_it(desk: Desk) -> None:
    with Behind(BasicWay("zoe", "pass-4711-4711"), lambda: desk.time.now) as vendor:
        settings = {"basic": {"username": "zoe", "password": "${secret.P}"}}
        collect(desk, vendor, settings, endpoints={"echo": "/echo"}, P="pass-4711-4711")
        assert "Basic ***" == desk.rows("echo")[0]["seen"]["authorization"]


# --- refresh tokens that are used once

REFRESH = {"client_id": "c-1", "client_secret": "${secret.S}", "refresh_token": "${secret.R}"}


def _refreshing(desk: Desk, **more: Any) -> Behind:
    grant = {"grant_type": "refresh_token", "client_id": "c-1", "client_secret": "s-4711"}
    return Behind(OauthWay(grant, refresh_tokens=["refresh-first"], **more), lambda: desk.time.now)


def _refresh(desk: Desk, vendor: Behind, token: str = "refresh-first", **more: str) -> Result:
    settings = {"oauth2_refresh_token": {"token_url": f"{vendor.url}/token", **REFRESH, **more}}
    return collect(desk, vendor, settings, R=token, S="s-4711")


def test_a_rotated_refresh_token_is_kept_before_the_token_is_used(desk: Desk) -> None:
    with _refreshing(desk) as vendor:
        seen = list[list[str]]()
        vendor.then = lambda: seen.append(kept(desk))
        assert "succeeded" == _refresh(desk, vendor).status
        assert [[vendor.way.refresh_tokens[-1]]] * EVERY == seen  # type: ignore[attr-defined]  # an OauthWay


def test_the_next_run_goes_on_from_the_rotated_refresh_token(desk: Desk) -> None:
    with _refreshing(desk) as vendor:
        statuses = [_refresh(desk, vendor).status for _ in range(3)]
        assert (["succeeded"] * 3, 3) == (statuses, len(vendor.asked("/token")))


def test_a_refresh_token_is_rotated_with_each_renewal_of_a_run(desk: Desk) -> None:
    with _refreshing(desk, life_seconds=300) as vendor:
        vendor.then = lambda: desk.time.wait(100)
        assert "succeeded" == _refresh(desk, vendor).status
        assert [200] * EVERY == vendor.things()
        assert [vendor.way.refresh_tokens[-1]] == kept(desk)  # type: ignore[attr-defined]  # an OauthWay
        assert 3 == len(vendor.asked("/token"))


def test_what_is_kept_stands_nowhere_but_in_its_row(desk: Desk) -> None:
    with _refreshing(desk) as vendor:
        _refresh(desk, vendor)
        way = vendor.way
        assert isinstance(way, OauthWay)
        secrets = [*way.refresh_tokens, *way.given, "s-4711"]
        assert [] == [text for text in secrets if text.encode() in stored(desk)]
        assert way.refresh_tokens[-1] in kept(desk)


def test_nobody_else_may_read_the_ledger(desk: Desk) -> None:
    with _refreshing(desk) as vendor:
        modes = list[set[int]]()
        vendor.then = lambda: modes.append({path.stat().st_mode & 0o777 for path in desk.storage.glob("engine.db*")})
        _refresh(desk, vendor)
        assert [{0o600}] * EVERY == modes


def test_a_ledger_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    place = tmp_path / "engine.db"
    place.touch(mode=0o644)
    Ledger(place).close()
    assert 0o600 == place.stat().st_mode & 0o777


def test_another_refresh_token_in_the_settings_ends_what_was_kept(desk: Desk) -> None:
    with _refreshing(desk) as vendor:
        _refresh(desk, vendor)
        way = vendor.way
        assert isinstance(way, OauthWay)
        way.refresh_tokens.append("refresh-second")  # the person agreed once more
        assert "succeeded" == _refresh(desk, vendor, "refresh-second").status
        assert [200, 200] == [status for _, status in vendor.asked("/token")]


def test_a_kept_refresh_token_that_is_refused_is_followed_by_the_one_in_the_settings_once(desk: Desk) -> None:
    with _refreshing(desk, rotates=True) as vendor:
        _refresh(desk, vendor)
        way = vendor.way
        assert isinstance(way, OauthWay)
        way.refresh_tokens.append("refresh-first")  # the vendor took back all but the first
        assert "succeeded" == _refresh(desk, vendor).status
        assert [200, 400, 200] == [status for _, status in vendor.asked("/token")]
        assert [way.refresh_tokens[-1]] == kept(desk)


def test_refresh_tokens_that_are_both_refused_are_asked_for_once_each(desk: Desk) -> None:
    with _refreshing(desk) as vendor:
        _refresh(desk, vendor)
        vendor.way.refresh_tokens.append("refresh-taken-back")  # type: ignore[attr-defined]  # an OauthWay
        result = _refresh(desk, vendor)
        assert ("sign-in was refused with status 400: invalid_grant: token was used",) == of(result, "things").missing
        assert [200, 400, 400] == [status for _, status in vendor.asked("/token")]


def test_a_refresh_token_that_is_not_rotated_is_not_kept(desk: Desk) -> None:
    with _refreshing(desk, rotates=False) as vendor:
        assert "succeeded" == _refresh(desk, vendor).status
        assert [] == kept(desk)


def test_tools_do_not_share_what_is_kept(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "engine.db")
    settings = {"token_url": "http://127.0.0.1/token", "refresh_token": "${secret.r}"}
    part = auth("oauth2_refresh_token", settings, r="first")
    Keeper(ledger, "one").keep(part, Secret("kept"))
    assert [Secret("kept"), None] == [Keeper(ledger, tool).kept(part) for tool in ("one", "two")]
    ledger.close()


# --- tokens of a client, of a user


def test_a_token_that_expires_in_mid_run_is_renewed_before(desk: Desk) -> None:
    way = OauthWay({"grant_type": "password", "username": "zoe", "password": "p 4711&", "client_id": "c"}, 300)
    with Behind(way, lambda: desk.time.now) as vendor:
        vendor.then = lambda: desk.time.wait(100)
        settings = {"token_url": f"{vendor.url}/token", "username": "zoe", "password": "${secret.P}", "client_id": "c"}
        assert "succeeded" == collect(desk, vendor, {"oauth2_password": settings}, P="p 4711&").status
        assert ([200] * EVERY, 3) == (vendor.things(), len(way.given))


def test_a_token_that_is_taken_back_in_mid_run_is_renewed_once(desk: Desk) -> None:
    way = OauthWay({"grant_type": "client_credentials", "scope": "a b", "audience": "https://api"})
    with Behind(way, lambda: desk.time.now) as vendor:
        vendor.then = lambda: way.given.append("none") if len(vendor.log) == 4 else None
        settings = {"token_url": f"{vendor.url}/token", "client_id": "c", "client_secret": "${secret.S}"}
        settings |= {"scopes": ["a", "b"], "form": {"audience": "https://api"}, "client_auth": "basic"}  # type: ignore[dict-item]
        assert "succeeded" == collect(desk, vendor, {"oauth2_client_credentials": settings}, S="s").status
        assert ([200] * 4 + [401] + [200] * 3, 2) == (vendor.things(), len(vendor.asked("/token")))


def test_a_client_may_sign_instead_of_sending_a_secret(desk: Desk, keys: Callable[[str], tuple[str, Any]]) -> None:
    private, public = keys("RS256")
    way = OauthWay({"grant_type": "client_credentials", "client_id": "c-1"}, key=public)
    with Behind(way, lambda: desk.time.now) as vendor:
        way.audience = f"{vendor.url}/token"
        settings = {"token_url": way.audience, "client_id": "c-1", "private_key": "${secret.K}", "key_id": "k-1"}
        settings["client_auth"] = "private_key_jwt"
        assert "succeeded" == collect(desk, vendor, {"oauth2_client_credentials": settings}, K=private).status


# --- a vendor's own sign-in

COOKIE = {
    "post": "/login",
    "form": {"user": "zoe", "password": "${secret.P}"},
    "read": "cookies.session",
    "send": "cookie.session",
}


@pytest.mark.parametrize("redirects", [False, True])
def test_a_cookie_is_read_from_the_answer_to_a_form(desk: Desk, redirects: bool) -> None:
    with Behind(CookieWay("zoe", "p&4711", redirects), lambda: desk.time.now) as vendor:
        assert "succeeded" == collect(desk, vendor, {"login": COOKIE}, P="p&4711").status
        assert ([200] * EVERY, 1) == (vendor.things(), len(vendor.asked("POST /login")))


def test_a_session_that_ends_is_opened_again(desk: Desk) -> None:
    with Behind(CookieWay("zoe", "p", uses=3), lambda: desk.time.now) as vendor:
        assert "succeeded" == collect(desk, vendor, {"login": COOKIE}, P="p").status
        assert [200, 200, 200, 401, 200, 200, 200, 401, 200] == vendor.things()


def test_a_login_that_is_refused_is_asked_once(desk: Desk) -> None:
    with Behind(CookieWay("zoe", "right"), lambda: desk.time.now) as vendor:
        endpoints = {f"e{number}": "/things" for number in range(5)}
        result = collect(desk, vendor, {"login": COOKIE}, endpoints=endpoints, P="wrong-4711")
        assert [("sign-in was refused with status 403",)] * 5 == [one.missing for one in result.collections]
        assert ["/login"] == [asked.target for asked, _ in vendor.log]


TOKEN = {
    "post": "/v1/session",
    "body": {"credentials": {"name": "zoe", "password": "${secret.P}", "days": 1}},
    "read": "answer.data.token",
    "expires": "answer.data.until",
    "send": "header.X-Token",
}


def test_a_token_of_a_login_is_renewed_before_its_time(desk: Desk) -> None:
    way = TokenWay({"credentials": {"name": "zoe", "password": "p-4711", "days": 1}}, life_seconds=300)
    with Behind(way, lambda: desk.time.now) as vendor:
        vendor.then = lambda: desk.time.wait(100)
        assert "succeeded" == collect(desk, vendor, {"login": TOKEN}, P="p-4711").status
        assert ([200] * EVERY, 3) == (vendor.things(), len(way.given))


def test_a_refused_login_does_not_show_what_was_sent(desk: Desk) -> None:
    way = TokenWay({"credentials": {}})
    with Behind(way, lambda: desk.time.now) as vendor:
        result = collect(desk, vendor, {"login": TOKEN}, P="p-never-shown")
        words = 'wrong: {"credentials":{"name":"zoe","password":"***","days":1}}'
        assert (f"sign-in was refused with status 401: {words}",) == of(result, "things").missing
        assert b"never-shown" not in stored(desk)


# --- shared by all threads


def test_a_hundred_requests_that_wait_cause_one_sign_in_and_one_renewal() -> None:
    time, way = Time(), OauthWay({"grant_type": "client_credentials", "client_id": "c"})
    fetcher, together = Fetcher(time.clock(), nowhere), Barrier(100)
    with Behind(way, lambda: time.now) as vendor, closing(fetcher), ThreadPoolExecutor(100) as threads:
        settings = {"token_url": f"{vendor.url}/token", "client_id": "c", "client_secret": "${secret.s}"}
        pool = Pool(auth("oauth2_client_credentials", settings, s="s"), time.clock())
        route = Route("things", pool, (), frozenset({"127.0.0.1"}), Patience(), 10**6)

        def ask(_: int) -> int:
            together.wait()
            return fetcher.fetch(Request("GET", f"{vendor.url}/things"), route).status

        assert ([200] * 100, 1) == (list(threads.map(ask, range(100))), len(vendor.asked("/token")))
        way.given.append("none")
        assert ([200] * 100, 2) == (list(threads.map(ask, range(100))), len(vendor.asked("/token")))
