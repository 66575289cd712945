"""What is kept of an answer that repeats what signs the requests, and how often a refused endpoint signs in."""

import base64
import json
from typing import Any

import pytest

from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

OAUTH: dict[str, Any] = {"client_id": "${secret.U}", "client_secret": "${secret.P}"}


def _collect(desk: Desk, auth: dict[str, Any], endpoints: dict[str, Any], **env: str) -> Any:
    desk.env = env
    return desk.collect(endpoints, connection={"auth": auth}, secrets={name: {"env": name} for name in env})


BASIC = {"basic": {"username": "${secret.U}", "password": "${secret.P}"}}
PEOPLE = {"people": {"get": "/people", "records": "people"}}


def test_a_name_that_records_also_hold_is_kept(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/people"] = {"people": [{"owner": "collector@example.com", "note": "s3cret-4711"}]}
    _collect(desk, BASIC, PEOPLE, U="collector@example.com", P="s3cret-4711")
    assert [{"owner": "collector@example.com", "note": "***"}] == desk.rows("people", "people")


def test_a_secret_of_digits_changes_no_number(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/people"] = {
        "people": [{"id": 12345678, "pin": "12345678", "link": "https://a/12345678?p=12345678"}]
    }
    _collect(desk, BASIC, PEOPLE, U="collector", P="12345678")
    assert [{"id": 12345678, "pin": "***", "link": "https://a/***?p=***"}] == desk.rows("people", "people")


def test_a_secret_whose_letters_json_escapes_is_not_kept(desk: Desk, vendor: Tiny) -> None:
    echo = b'{"people": [{"a": "p\\u00e4:ss-S3CRET", "b": "p\\u00E4:ss-S3CRET", "c": "\\u0070\xc3\xa4:ss-S3CRET"}]}'
    vendor.routes["/people"] = Answer(200, echo)
    _collect(desk, BASIC, PEOPLE, U="collector", P="pä:ss-S3CRET")
    assert [dict.fromkeys("abc", "***")] == desk.rows("people", "people")


def test_a_letter_outside_the_first_plane_is_escaped_in_two(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/people"] = Answer(200, rb'{"people": [{"a": "key-\ud83d\uDE00-S3CRET"}]}')
    _collect(desk, BASIC, PEOPLE, U="collector", P="key-😀-S3CRET")
    assert [{"a": "***"}] == desk.rows("people", "people")


def test_a_secret_in_a_text_that_is_json_itself_is_not_kept(desk: Desk, vendor: Tiny) -> None:
    inner = json.dumps({"whole": "pä:ss-S3CRET", "first": "\\"}).replace("p\\u00e4", "\\u0070\\u00e4")
    vendor.routes["/people"] = Answer(200, json.dumps({"people": [{"a": inner}]}).encode())
    _collect(desk, BASIC, PEOPLE, U="collector", P="pä:ss-S3CRET")
    assert [{"a": '{"whole": "***", "first": "\\\\"}'}] == desk.rows("people", "people")


def test_a_secret_inside_an_encoded_field_is_not_kept(desk: Desk, vendor: Tiny) -> None:
    hidden = base64.b64encode(json.dumps({"echo": "pä:ss-S3CRET"}).encode()).decode()
    vendor.routes["/people"] = {"people": [{"v": hidden}]}
    people = {**PEOPLE["people"], "decode_fields": {"v": "base64+json"}}
    _collect(desk, BASIC, {"people": people}, U="collector", P="pä:ss-S3CRET")
    assert [{"v": {"echo": "***"}}] == desk.rows("people", "people")


def test_an_endpoint_that_refuses_every_token_causes_few_sign_ins(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/people"] = {"people": [{"id": number} for number in range(30)]}
    tokens = iter(range(1000))
    vendor.routes["/token"] = lambda asked: {"access_token": f"token-{next(tokens):04d}", "expires_in": 3600}
    for number in range(30):
        vendor.routes[f"/people/{number}/secrets"] = Answer.json({"message": "not for you"}, 401)
    child = {"for_each": {"one": "people"}, "get": "/people/${one.id}/secrets"}
    auth = {"oauth2_client_credentials": {**OAUTH, "token_url": f"{vendor.url}/token"}}
    result = _collect(desk, auth, {**PEOPLE, "secrets": child}, U="client", P="s3cret-4711")
    asked = vendor.targets().count("/token")
    assert (30, True) == (len(of(result, "secrets").missing), 2 <= asked <= 5)


def test_a_token_that_is_taken_back_later_is_renewed_for_an_endpoint_that_never_refused_a_new_one(
    desk: Desk, vendor: Tiny
) -> None:
    valid = ["token-0"]

    def sign_in(asked: Asked) -> Any:
        return {"access_token": valid[0]}

    def people(asked: Asked) -> Any:
        page = int(dict(asked.query)["page"])
        if asked.headers["authorization"] != f"Bearer {valid[0]}":
            return Answer.json({}, 401)
        valid[0] = f"token-{page}"  # the next page wants a new one
        return {"people": [{"id": page}] if page < 6 else []}

    vendor.routes |= {"/token": sign_in, "/people": people}
    auth = {"oauth2_client_credentials": {**OAUTH, "token_url": f"{vendor.url}/token"}}
    paged = {"people": {**PEOPLE["people"], "paginate": {"page_number": {"send": "query.page"}}}}
    assert "succeeded" == _collect(desk, auth, paged, U="client", P="s3cret-4711").status


@pytest.mark.parametrize("status", [200, 404])
def test_the_address_of_a_file_that_lets_somebody_in_is_neither_kept_nor_shown(
    desk: Desk, vendor: Tiny, status: int
) -> None:
    vendor.routes["/exports"] = {"id": 1, "url": f"{vendor.url}/file?X-Signature=abcdef4711"}
    vendor.routes["/file"] = Answer.json([{"id": 1}], status)
    job = {"create": {"post": "/exports"}, "fetch": {"urls": "answer.url"}}
    result = desk.collect({"export": {"job": job}})
    told = repr([result.as_json(), desk.events, [frame.meta for frame in desk.frames("export")]])
    assert ("abcdef4711" in told, f"{vendor.url}/file?…" in told) == (False, True)
