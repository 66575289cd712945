"""What is written down of a job lets nobody in: no signed address, no token, no cookie, nothing that is redacted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.flow.desk import Tiny
from tests.flow.mortal import Mortal
from tests.pipelines.secret_search import kept, search
from tests.vendors.server import Answer, Asked

SIGNED, OTHER, TOKEN, COOKIE, MAIL = (
    "sig-4711-abcdef",
    "sig-0815-uvwxyz",
    "tok-2f6a9c1e77",
    "jar-55aa66bb",
    "ada@acme.com",
)
SECRETS = (SIGNED, OTHER, TOKEN, COOKIE, MAIL)
CREATE: dict[str, Any] = {"post": "/exports", "read": "answer.id"}
POLL: dict[str, Any] = {"get": "/exports/${job.id}", "done": "answer.done"}
LOCATE: dict[str, Any] = {"get": "/exports/${job.id}/files"}
URLS: dict[str, Any] = {"urls": "answer.files[].url"}


def _exporting(vendor: Tiny) -> None:
    """A vendor each of whose answers holds more than an engine may keep."""

    def created(asked: Asked) -> Answer:
        said = {
            "id": 7,
            "token": TOKEN,
            "nonce": TOKEN,
            "owner": {"email": MAIL},
            "watch": f"{vendor.url}/exports/7?s={OTHER}",
        }
        return Answer(200, json.dumps(said).encode(), {"Set-Cookie": f"jar={COOKIE}", "X-Token": TOKEN})

    def state(asked: Asked) -> Any:
        return {"rows": [{"id": 1}], "done": True, "result": f"{vendor.url}/files/c?s={OTHER}", "token": TOKEN, **files}

    files = {"files": [{"url": f"{vendor.url}/files/{name}?s={SIGNED}", "email": MAIL} for name in "ab"]}
    vendor.routes |= {"/exports": created, "/exports/7": state, "/exports/7/files": files}
    vendor.routes |= {f"/files/{name}": {"rows": [{"id": name, "email": MAIL}]} for name in "abc"}


def _orders(**job: Any) -> dict[str, Any]:
    return {"orders": {"job": job, "records": "rows", "redact": ["email"]}}


def _created(mortals: Mortal) -> int:
    return sum(number for asked, number in mortals.asked().items() if asked.startswith("POST /exports "))


SAFE = {
    "files": {"create": CREATE, "poll": POLL, "locate": LOCATE, "fetch": URLS},
    "the whole answer": {"create": {**CREATE, "read": "answer"}, "poll": POLL, "fetch": URLS},
    "an address": {
        "create": CREATE,
        "poll": {**POLL, "read": "answer.result"},
        "fetch": {"get": "${job.result}"},
    },
}
UNSAFE = {
    "its answer names the files": {"create": {"post": "/exports"}, "fetch": {"urls": "answer.watch"}},
    "a header": {
        "create": {**CREATE, "read": "{id: answer.id, pass: answer.nonce}"},
        "poll": {**POLL, "header": {"X-Pass": "${job.pass}"}},
        "fetch": URLS,
    },
    "a token by its name": {
        "create": {**CREATE, "read": "{id: answer.id, pass: answer.token}"},
        "poll": {**POLL, "query": {"pass": "${job.pass}"}},
        "fetch": URLS,
    },
    "a signed address": {
        "create": {**CREATE, "read": "answer.watch"},
        "poll": {**POLL, "get": "${job.id}"},
        "fetch": URLS,
    },
    "a cookie": {
        "create": {**CREATE, "read": '{id: answer.id, jar: headers."set-cookie"}'},
        "poll": {**POLL, "query": {"jar": "${job.jar}"}},
        "fetch": URLS,
    },
    "a redacted field": {
        "create": {**CREATE, "read": "{id: answer.id, who: answer.owner.email}"},
        "poll": {**POLL, "body": {"who": "${job.who}"}},
        "fetch": URLS,
    },
}


def test_what_is_sent_of_a_jobs_answer_is_neither_kept_nor_shown(mortals: Mortal, vendor: Tiny) -> None:
    _exporting(vendor)
    create = {**CREATE, "read": "{id: answer.id, pass: answer.token}"}
    poll = {**POLL, "query": {"pass": "${job.pass}"}}
    fetch = {"post": "/files/a", "body": {"pass": "${job.pass}"}}
    page = mortals.page(_orders(create=create, poll=poll, fetch=fetch))
    assert "succeeded" == mortals.collect(page)["status"]
    vendor.routes["/exports/7"] = Answer.json({}, 403)
    result = mortals.collect(page, later=2.0)
    assert ("incomplete", True) == (result["status"], "/exports/7?…" in json.dumps(result, ensure_ascii=False))
    assert [] == search(SECRETS, [("result", json.dumps(result)), *kept(mortals.storage)])


@pytest.mark.parametrize("job", SAFE.values(), ids=SAFE)
def test_a_job_is_created_once_and_what_is_kept_of_it_lets_nobody_in(
    mortals: Mortal, vendor: Tiny, job: dict[str, Any]
) -> None:
    _exporting(vendor)
    page = mortals.page(_orders(**job))
    mortals.killed(page, 2)  # behind the job and a file
    assert [] == search(SECRETS, kept(mortals.storage))
    assert "succeeded" == mortals.collect(page, later=2.0)["status"]
    assert ([], 1) == (search(SECRETS, kept(mortals.storage)), _created(mortals))


@pytest.mark.parametrize("job", UNSAFE.values(), ids=UNSAFE)
def test_a_job_that_needs_what_lets_somebody_in_is_created_again_and_not_kept(
    mortals: Mortal, vendor: Tiny, job: dict[str, Any]
) -> None:
    _exporting(vendor)
    vendor.routes["/exports/7/files"] = vendor.routes["/exports/7"]
    page = mortals.page(_orders(**job))
    mortals.killed(page, 1)  # behind a file
    assert [] == search(SECRETS, kept(mortals.storage))
    assert "succeeded" == mortals.collect(page, later=2.0)["status"]
    assert ([], 2) == (search(SECRETS, kept(mortals.storage)), _created(mortals))
