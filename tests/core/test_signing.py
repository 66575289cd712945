"""What a text that is filled for each request knows of it, and what it may be mixed with."""

from __future__ import annotations

import pytest

from engine.core.errors import ConfigError, Mistake
from engine.core.kinds import fill
from engine.core.signing import SigningText, fill_in, of_request
from engine.core.wire import Request, request_to

ASKED = Request("POST", "https://API.example.com:8443/a%20b/c", (("b", "2 3"), ("a", "é")), body={"x": "é"})


def test_a_text_knows_its_request_letter_by_letter() -> None:
    expected = {
        "method": "POST",
        "url": "https://API.example.com:8443/a%20b/c?b=2%203&a=%C3%A9",
        "host": "api.example.com:8443",
        "path": "/a%20b/c",
        "query": "b=2%203&a=%C3%A9",
        "sorted_query": "a=%C3%A9&b=2%203",
        "target": "/a%20b/c?b=2%203&a=%C3%A9",
        "body": '{"x":"é"}',
    }
    assert expected == of_request(ASKED)


def test_an_address_without_path_asks_for_the_root() -> None:
    found = of_request(Request("GET", "https://api.example.com:443"))
    assert ("api.example.com", "/", "/", "", "") == tuple(
        found[name] for name in ("host", "path", "target", "query", "body")
    )


@pytest.mark.parametrize(
    ("text", "late"),
    [("${request.path}", True), ("x${nonce}", True), ("${secret.a}", False), ("${param.a}", False), ("x", False)],
)
def test_what_reads_the_request_waits_for_it(text: str, late: bool) -> None:
    assert late == SigningText.read(text).late


def test_a_plan_leaves_alone_what_waits() -> None:
    scope = {"param": {"a": "1"}}
    texts = {"now": SigningText.read("${param.a}"), "late": SigningText.read("${request.path}")}
    assert {"now": "1", "late": "${request.path}"} == fill(texts, scope)


def test_what_a_plan_knows_does_not_mix_with_what_a_request_knows() -> None:
    with pytest.raises(Mistake, match="param and request cannot stand in one text"):
        SigningText.read("${request.path}${param.a}")


def test_a_name_that_a_request_does_not_have_is_named() -> None:
    text = SigningText.read("${request.pathh}")
    with pytest.raises(ConfigError, match='request has no "pathh"; did you mean "path"'):
        fill_in(text, {"request": of_request(ASKED)})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a b/é", "/a%20b/%C3%A9"),
        ("/a%20b", "/a%20b"),
        ("/{key}/x:@!$&'()*+,;=~[]|^", "/{key}/x:@!$&'()*+,;=~[]|^"),
        ('/"<>`', "/%22%3C%3E%60"),
    ],
)
def test_a_path_stands_in_a_request_as_it_is_sent(path: str, expected: str) -> None:
    assert f"https://a.example{expected}" == request_to("GET", f"https://a.example{path}").url
