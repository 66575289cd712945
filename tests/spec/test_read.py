"""A file becomes a page: defaults and styles merged, each mistake at its place, in an author's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.app.engine import registry
from engine.core.errors import Finding, SpecError
from engine.spec.collect import Endpoint
from engine.spec.read import Source, read_page

HEAD = "version: 1\ntool: acme\nconnection: { base_url: https://a.example }\n"


def _read(folder: Path, text: str) -> Source:
    place = folder / "acme.yaml"
    place.write_text(HEAD + text)
    return read_page(place, registry())


def _endpoint(folder: Path, text: str, name: str = "things") -> Endpoint:
    return _read(folder, text).pipeline.endpoints[name]


def _findings(folder: Path, text: str) -> list[Finding]:
    with pytest.raises(SpecError) as raised:
        _read(folder, text)
    return list(raised.value.findings)


def _told(folder: Path, text: str) -> list[tuple[int, str]]:
    """Line below the head, and message, of each finding."""
    return [(finding.mark.line - 3, finding.message) for finding in _findings(folder, text)]


def _says(endpoint: Endpoint) -> list[str]:
    return [response.skip.say for response in endpoint.responses if response.skip]


STYLE = """
defaults:
  records: data
  header: { A: defaults, B: defaults }
  paginate: { cursor: { read: answer.next, send: query.token } }
  responses: [ { when: { status: 401 }, skip: { say: defaults } } ]
styles:
  bulk:
    header: { B: style, C: style }
    paginate: { offset: { send: query.offset } }
"""


def test_defaults_are_merged_into_every_endpoint(tmp_path: Path) -> None:
    endpoint = _endpoint(tmp_path, STYLE + "endpoints: { things: /things }")
    assert ("data", {"A": "defaults", "B": "defaults"}) == (endpoint.records, endpoint.header)


def test_a_style_stands_over_the_defaults_and_the_endpoint_over_both(tmp_path: Path) -> None:
    text = STYLE + "endpoints: { things: { use: bulk, get: /things, header: { C: own } } }"
    assert {"A": "defaults", "B": "style", "C": "own"} == _endpoint(tmp_path, text).header


def test_of_several_styles_each_stands_above_those_before_it(tmp_path: Path) -> None:
    styles = "styles: { a: { header: { A: a, B: a } }, b: { header: { B: b, C: b } } }\n"
    text = styles + "endpoints: { things: { use: [a, b], get: /things, header: { C: own } } }"
    assert {"A": "a", "B": "b", "C": "own"} == _endpoint(tmp_path, text).header


@pytest.mark.parametrize(("use", "word"), [("use: bulk, ", "offset"), ("", "cursor"), ("paginate: none, ", "none")])
def test_a_variant_replaces_that_of_the_level_below(tmp_path: Path, use: str, word: str) -> None:
    endpoint = _endpoint(tmp_path, STYLE + f"endpoints: {{ things: {{ {use}get: /things }} }}")
    assert endpoint.paginate is not None
    assert word == endpoint.paginate.word


def test_a_list_replaces(tmp_path: Path) -> None:
    own = "endpoints: { things: { get: /things, responses: [ { when: { status: 402 }, skip: { say: own } } ] } }"
    assert ["own"] == _says(_endpoint(tmp_path, STYLE + own))


PREPEND = "responses: { prepend: [ { when: { status: 402 }, skip: { say: %s } } ] }"


def test_prepend_adds_in_front(tmp_path: Path) -> None:
    own = f"endpoints: {{ things: {{ get: /things, {PREPEND % 'own'} }} }}"
    assert ["own", "defaults"] == _says(_endpoint(tmp_path, STYLE + own))


def test_prepend_reaches_the_defaults_through_a_style_without_responses(tmp_path: Path) -> None:
    own = f"endpoints: {{ things: {{ use: bulk, get: /things, {PREPEND % 'own'} }} }}"
    assert ["own", "defaults"] == _says(_endpoint(tmp_path, STYLE + own))


@pytest.mark.parametrize(
    ("own", "says"), [("", ["style", "defaults"]), (PREPEND % "own", ["own", "style", "defaults"])]
)
def test_a_style_may_prepend_too(tmp_path: Path, own: str, says: list[str]) -> None:
    text = STYLE + f"    {PREPEND % 'style'}\nendpoints: {{ things: {{ use: bulk, get: /things, {own} }} }}"
    assert says == _says(_endpoint(tmp_path, text))


def test_prepend_with_nothing_behind_is_the_list(tmp_path: Path) -> None:
    assert ["own"] == _says(_endpoint(tmp_path, f"endpoints: {{ things: {{ get: /things, {PREPEND % 'own'} }} }}"))


@pytest.mark.parametrize(("default", "own"), [("get", "post"), ("post", "get")])
def test_the_method_of_an_endpoint_replaces_that_of_its_style(tmp_path: Path, default: str, own: str) -> None:
    text = f"styles: {{ s: {{ {default}: /a }} }}\nendpoints: {{ things: {{ use: s, {own}: /b }} }}"
    endpoint = _endpoint(tmp_path, text)
    assert (None, "/b") == (getattr(endpoint, default), getattr(endpoint, own))


# --- mistakes


def test_a_mistake_in_a_style_stands_at_the_styles_line(tmp_path: Path) -> None:
    text = "styles:\n  s:\n    recrods: data\nendpoints:\n  a: { use: s, get: /a }\n  b: { use: s, get: /b }\n"
    assert [(3, 'unknown word "recrods"; did you mean "records"?')] == _told(tmp_path, text)


def test_an_unknown_style_is_named(tmp_path: Path) -> None:
    text = "styles: { bulk: {} }\nendpoints:\n  a: { use: bulc, get: /a }"
    assert [(3, 'no style is called "bulc"; did you mean "bulk"?')] == _told(tmp_path, text)


@pytest.mark.parametrize("word", ["defaults", "styles"])
def test_sections_that_are_no_mappings_are_named(tmp_path: Path, word: str) -> None:
    assert (1, "a mapping is expected here") in _told(tmp_path, f"{word}: [a]\nendpoints: {{ a: /a }}")


def test_a_style_is_named_by_a_text(tmp_path: Path) -> None:
    assert 2 == _told(tmp_path, "styles: { bulk: {} }\nendpoints: { a: { use: [{ a: bulk }], get: /a } }")[0][0]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("endpoints: { a: /a }\ntabels: {}", 2, 'unknown word "tabels"; did you mean "tables"?'),
        ("endpoints:\n  a: { get: /a, records: 5 }", 2, "5 is not a JMESPath expression"),
        (
            "endpoints:\n  a:\n    get: /a\n    paginate: { ofset: {} }",
            4,
            'no paginator is called "ofset"; did you mean "offset"?',
        ),
        (
            "endpoints:\n  a:\n    get: /a\n    paginate:\n      offset: { send: query.a, siez: 1 }",
            5,
            'unknown word "siez"; did you mean "size"?',
        ),
        ("endpoints:\n  a:\n    get: /a\n    paginate: { offset: {} }", 4, '"send" is missing'),
        ("endpoints:\n  a: { get: /a, post: /b }", 2, "an endpoint asks with one of get, post, put"),
        ("endpoints:\n  a: { get: /a, query: { q: { join: x } } }", 2, "a mapping cannot stand here"),
        ("endpoints:\n  a: { get: /a, timeout: soon }", 2, '"soon" is not a duration'),
        ("endpoints:\n  a: { get: /a, rate_limit: 0/s }", 2, '"0/s" allows no request'),
        (
            "endpoints:\n  a: { get: /a, may_be_empty: perhaps }",
            2,
            "'perhaps' does not go here: true or false is expected",
        ),
        ("endpoints:\n  A: /a", 2, '"A" is not the name of an endpoint'),
        (
            "endpoints:\n  a: { get: /a, for_each: { b: { union: [ { union: [x] } ] } } }",
            2,
            "a union holds no other union",
        ),
        (
            "endpoints: { a: /a }\ntables:\n  t: { from: a, columns: { c: { path: c, type: text } } }",
            3,
            "'text' is not one of",
        ),
    ],
    ids=range(13),
)
def test_a_mistake_is_named_at_its_place(tmp_path: Path, text: str, line: int, message: str) -> None:
    found = _told(tmp_path, text)
    assert [(line, message)] == [(at, said[: len(message)]) for at, said in found]


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("endpoints: { a: { get: /a, timeout: soon } }", "write 30s, 15m, 2h or 7d"),
        ("endpoints: { A: /a }", "write lower-case letters, digits and _"),
        (
            "endpoints: { a: { get: /a, paginate: { offset: { send: query.a }, cursor: {} } } }",
            "write one of offset, cursor",
        ),
        ("endpoints: { a: { get: /a, paginate: { offset: {}, siez: 1 } } }", "write { offset: { … } }"),
    ],
)
def test_a_mistake_has_a_mend_of_what_was_written(tmp_path: Path, text: str, fix: str) -> None:
    assert [fix] == [finding.fix for finding in _findings(tmp_path, text)]


def test_the_mend_of_two_sign_ins_names_both(tmp_path: Path) -> None:
    place = tmp_path / "acme.yaml"
    place.write_text(HEAD.replace(".example }", ".example, auth: { basic: {}, none: {} } }") + "endpoints: { a: /a }")
    with pytest.raises(SpecError) as raised:
        read_page(place, registry())
    assert ["write one of basic, none"] == [finding.fix for finding in raised.value.findings]


def test_a_version_that_is_not_known_is_told_with_the_one_there_is(tmp_path: Path) -> None:
    place = tmp_path / "acme.yaml"
    place.write_text(HEAD.replace("version: 1", "version: 2") + "endpoints: { a: /a }")
    with pytest.raises(SpecError) as raised:
        read_page(place, registry())
    assert [("2 does not go here: there is only 1", "write 1")] == [
        (finding.message, finding.fix) for finding in raised.value.findings
    ]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("4xx", "'4xx' does not go here: a whole number or a list is expected"),
        ("[400, 4xx]", "'4xx' does not go here: a whole number is expected"),
        ("4", "4 does not go here: input should be greater than or equal to 100"),
    ],
)
def test_a_word_that_takes_several_forms_has_one_mistake(tmp_path: Path, status: str, message: str) -> None:
    text = f"endpoints:\n  a: {{ get: /a, responses: [ {{ when: {{ status: {status} }}, stop: {{}} }} ] }}"
    assert [(2, message)] == _told(tmp_path, text)


def test_all_mistakes_are_named_in_the_order_of_the_page(tmp_path: Path) -> None:
    text = "endpoints:\n  a: { get: /a, x: 1 }\n  b: { get: /b, y: 2 }\n  c: { use: s, get: /c }\n"
    assert [2, 3, 4] == [line for line, _ in _told(tmp_path, text)]


def test_numbers_in_queries_and_headers_keep_their_source_text(tmp_path: Path) -> None:
    text = "endpoints: { a: { get: /a, query: { v: 1.10, w: [08, true] }, header: { X: 1e3 } } }"
    endpoint = _endpoint(tmp_path, text, "a")
    assert ({"v": "1.10", "w": ["08", "true"]}, {"X": "1e3"}) == (endpoint.query, endpoint.header)


def test_numbers_in_a_body_are_numbers(tmp_path: Path) -> None:
    body: Any = _endpoint(tmp_path, "endpoints: { a: { post: /a, body: { n: 08, f: 1.10, t: true } } }", "a").body
    assert ({"n": 8, "f": 1.1, "t": True}, [int, float, bool]) == (body, [type(value) for value in body.values()])


def test_names_of_the_vendors_may_begin_with_x(tmp_path: Path) -> None:
    sent = "header: { x-v: 2 }, query: *shared, body: { x-b: 3 }"
    text = f"x-shared: &shared {{ x-a: 1 }}\nendpoints: {{ a: {{ post: /a, {sent}, x-note: n }} }}"
    endpoint = _endpoint(tmp_path, text, "a")
    assert ({"x-v": "2"}, {"x-a": "1"}, {"x-b": 3}) == (endpoint.header, endpoint.query, endpoint.body)


def test_names_of_the_vendors_are_merged_too(tmp_path: Path) -> None:
    text = "x-shared: &shared { x-a: 1 }\nendpoints: { a: { get: /a, header: { <<: *shared, x-b: 2 } } }"
    assert {"x-a": "1", "x-b": "2"} == _endpoint(tmp_path, text, "a").header


def test_elsewhere_keys_that_begin_with_x_are_left_out(tmp_path: Path) -> None:
    text = "x-note: 1\nendpoints: { x-a: /x, a: { get: /a, x-note: n, add: { x-b: b } } }"
    page = _read(tmp_path, text).pipeline
    assert (["a"], {}) == (list(page.endpoints), page.endpoints["a"].add)
