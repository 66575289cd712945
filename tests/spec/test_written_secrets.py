"""Secrets that are written out on a page are found wherever they are sent, and shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.app.engine import registry
from engine.app.resolved import resolved
from engine.core.errors import SpecError
from engine.spec.lint import lint_file
from engine.spec.read import read_page

SECRET = "ghp-S3CRETvalue"
LOGIN = "login: { post: /in, read: answer.t, send: header.X, "


def _page(folder: Path, *, connection: str = "", endpoint: str = "get: /x, records: items", more: str = "") -> Path:
    page = folder / "acme.yaml"
    page.write_text(
        f'version: 1\ntool: acme\n{more}\nconnection: {{ base_url: "https://a.example", {connection} }}\n'
        f"endpoints: {{ things: {{ {endpoint} }} }}\ntables: {{ things: {{ from: things, columns: {{ id: id }} }} }}\n"
    )
    return page


@pytest.mark.parametrize(
    "said",
    [
        {"connection": f'header: {{ Authorization: "Bearer {SECRET}" }}'},
        {"connection": f"header: {{ Proxy-Authorization: {SECRET} }}"},
        {"connection": f'header: {{ Cookie: "session={SECRET}" }}'},
        {"connection": f"header: {{ X-API-Key: {SECRET} }}"},
        {"connection": f"header: {{ X-Auth-Token: {SECRET} }}"},
        {"connection": f"query: {{ api_key: {SECRET} }}"},
        {"connection": f"query: {{ accessKey: {SECRET} }}"},
        {"endpoint": f'get: "/x?limit=5&access_token={SECRET}", records: items'},
        {"endpoint": f"get: /x, records: items, header: {{ client-secret: {SECRET} }}"},
        {"connection": f"auth: {{ {LOGIN} body: {{ user: {{ password: {SECRET} }} }} }} }}"},
        {"connection": f"auth: {{ {LOGIN} form: {{ password: {SECRET} }} }} }}"},
        {
            "more": f"params: {{ password: {{ default: {SECRET} }} }}",
            "endpoint": 'get: "/${param.password}", records: items',
        },
        {"more": f"secrets: {{ tok: {SECRET} }}"},
        {"more": f"secrets: {{ tok: {{ env: TOK, value: {SECRET} }} }}"},
    ],
)
def test_a_secret_on_the_page_is_an_error_that_does_not_show_it(tmp_path: Path, said: dict[str, str]) -> None:
    found = lint_file(_page(tmp_path, **said), registry())
    errors = [one.code for one in found if one.level == "error"]
    assert errors in (["page-secret"], ["unknown-word"])
    assert SECRET not in "\n".join(f"{one.as_text()} {one.as_json()}" for one in found)


@pytest.mark.parametrize(
    "said",
    [
        {"connection": "header: { Accept: application/json, X-Api-Version: 2026-01-01, X-CSRF-Token: required }"},
        {"connection": "header: { X-Atlassian-Token: no-check }, query: { pageToken: first-page, token: short }"},
        {"endpoint": 'get: "/x?next_token=beginning&token_type=long-lived", records: items'},
        {"endpoint": 'get: "/x?token=${param.start}", records: items', "more": "params: { start: { default: short } }"},
    ],
)
def test_what_is_no_secret_is_no_finding(tmp_path: Path, said: dict[str, str]) -> None:
    assert [] == [one.as_text() for one in lint_file(_page(tmp_path, **said), registry()) if one.code == "page-secret"]


def test_another_mistake_in_the_line_of_a_secret_does_not_show_it(tmp_path: Path) -> None:
    page = _page(tmp_path, connection=f'header: {{ X-Api-Key: {SECRET}, X-A: "${{param.nobody}}" }}')
    found = lint_file(page, registry())
    assert 2 == len(found)
    assert SECRET not in "\n".join(one.as_text() for one in found)


def test_the_long_form_of_a_page_with_a_secret_is_refused(tmp_path: Path) -> None:
    source = read_page(_page(tmp_path, connection=f"header: {{ X-Api-Key: {SECRET} }}"), registry())
    with pytest.raises(SpecError) as caught:
        resolved(source)
    assert SECRET not in str(caught.value)
