"""The simulated vendor lets in whoever signs as the page says, and nobody else; params and secrets are made up."""

from pathlib import Path

import httpx2
import pytest

from engine.app.engine import registry
from engine.author.simulate import Simulator
from engine.core.kinds import Moment, Renewal, Token
from engine.core.wire import Page, Request
from engine.spec.read import read_page
from tests.author.client import CLOCK, Asked, Opening

PAGE = """
version: 1
tool: acme
params: { PARAMS }
secrets: { key: { env: ACME_KEY } }
connection:
  base_url: https://api.acme.example/v2
  auth: AUTH
endpoints: { things: { get: /things, records: things } }
"""
WAYS = {
    "bearer": '{ bearer: { token: "${secret.key}" } }',
    "header": '{ api_key: { key: "${secret.key}", send: header.X-Key, prefix: "token " } }',
    "query": '{ api_key: { key: "${secret.key}", send: query.key } }',
    "client": '{ oauth2_client_credentials: { token_url: "https://auth.acme.example/t", client_id: acme, '
    'client_secret: "${secret.key}", client_auth: basic } }',
    "choice": '{ choose: { by: "${param.way}", options: { a: { bearer: { token: "${secret.key}" } }, b: none } } }',
    "service account": '{ google_service_account: { key: "${secret.key}" } }',
}


def _page(auth: str, params: str = "way: {}") -> str:
    return PAGE.replace("AUTH", auth).replace("PARAMS", params)


def _send(vendor: Asked, request: Request) -> Page:
    body = {"data": request.body} if request.media == "form" else {}
    answer = vendor.client.request(
        request.method,
        vendor.stand.reach(request.url),
        params=list(request.query),
        headers=dict(request.header),
        **body,
    )
    return Page(request, answer.status_code, dict(answer.headers), answer.content)


def _token(vendor: Asked) -> Token:
    assert vendor.stand.auth
    steps = vendor.stand.auth.renew(Renewal(CLOCK.now()))
    try:
        request = next(steps)
        while True:
            request = steps.send(_send(vendor, request))
    except StopIteration as end:
        token: Token = end.value
        return token


@pytest.mark.parametrize("auth", WAYS.values(), ids=WAYS)
def test_who_signs_as_the_page_says_is_let_in(opened: Opening, auth: str) -> None:
    vendor = opened(_page(auth))
    assert vendor.stand.auth
    request = vendor.stand.auth.sign(
        Request("GET", "https://api.acme.example/v2/things"), _token(vendor), Moment(CLOCK.now())
    )
    assert 200 == _send(vendor, request).status


@pytest.mark.parametrize("auth", WAYS.values(), ids=WAYS)
def test_who_does_not_sign_is_refused(opened: Opening, auth: str) -> None:
    answer = opened(_page(auth)).raw("/things")
    assert (401, "UNAUTHENTICATED") == (answer.status_code, answer.json()["error"]["status"])


def test_the_vendor_is_on_loopback_and_keeps_connections_open(opened: Opening) -> None:
    vendor = opened(_page("none"))
    assert httpx2.URL(vendor.stand.reach("https://api.acme.example/v2/things")).host == "127.0.0.1"
    assert "HTTP/1.1" == vendor.raw("/things").http_version


def _simulator() -> Simulator:
    return Simulator(registry(), 1, CLOCK)


def test_params_take_their_example_else_their_default_else_something_made_up(tmp_path: Path) -> None:
    place = tmp_path / "acme.yaml"
    params = (
        "a: { example: [x, y], type: list, split: ';' }, b: { default: d }, c_url: {}, d: { type: rate, default: 1/s }"
    )
    place.write_text(_page("none", params))
    found = _simulator().params(read_page(place, registry()).pipeline, {})
    assert {"a": "x;y", "c_url": "https://c.example.com", "d": "10000/s"} == found


def test_params_that_somebody_set_are_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "acme.yaml"
    place.write_text(_page("none", "a: { example: x }"))
    assert {} == _simulator().params(read_page(place, registry()).pipeline, {"a": "mine"})


def test_a_choice_that_nobody_made_takes_its_first_option(tmp_path: Path) -> None:
    place = tmp_path / "acme.yaml"
    place.write_text(_page(WAYS["choice"]))
    assert {"way": "a"} == _simulator().params(read_page(place, registry()).pipeline, {})


def test_every_secret_of_the_page_is_made_up(tmp_path: Path) -> None:
    place = tmp_path / "acme.yaml"
    place.write_text(_page("none"))
    assert ["key"] == list(_simulator().secrets(read_page(place, registry()).pipeline))
