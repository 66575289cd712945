"""The table of the docs names every word that meets a vendor, with an example that lints clean."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.app.engine import registry
from engine.spec.lint import lint_file
from engine.spec.model import Pipeline
from engine.spec.vocabulary import Entry, entries, flow, vocabulary
from engine.spec.yamlfile import parse, plain

ENTRIES = list(entries(registry()))
COLUMNS = {"id": {"path": "id", "type": "string"}}
LOGIN = {"login": {"post": "/session", "body": {}, "read": "answer.token", "send": "header.X-Token"}}
RULED = {
    "incremental": {"start": "30d", "send": "query.since"},
    "paginate": {"offset": {"send": "query.offset", "size": {"send": "query.limit", "value": 100}}},
}
"""What response rules may work on."""
RECORD = {"from": [], "key": "id", "columns": COLUMNS, "other_columns": "keep"}


def page(one: Entry) -> dict[str, Any]:
    """The example as a whole page: what it names is declared, each endpoint has a table."""
    tree: dict[str, Any] = plain(parse(one.example, one.word).root)
    if not set(tree) & set(Pipeline.model_fields):
        way = {} if {"job", "graphql"} & set(tree) else {"get": "/things"}
        around = RULED if one.title == "Response rules" else {}
        tree = {"endpoints": {"things": {**way, "records": "items", **around, **tree}}}
        tree |= {"connection": {"auth": LOGIN}} if around else {}
    tree = {"version": 1, "tool": "acme", "endpoints": {"things": "/things"}, **tree}
    tree["connection"] = {"base_url": "https://api.example.com", **tree.get("connection", {})}
    for section, source in (("secrets", {"env": "ACME_SECRET"}), ("params", {"type": "list"})):
        named = set(re.findall(rf"\$\{{{section[:-1]}\.(\w+)", json.dumps(tree))) - set(tree.get(section, {}))
        tree[section] = {**tree.get(section, {}), **dict.fromkeys(named, source)}
    for parent in re.findall(r"for_each\W+\w+\W+(?:endpoint\W+|union\W+)?(\w+)", json.dumps(tree)):
        tree["endpoints"].setdefault(parent, f"/{parent}")
    return tree | {"tables": {"all": {**RECORD, "from": list(tree["endpoints"])}, **tree.get("tables", {})}}


@pytest.mark.parametrize("one", ENTRIES, ids=lambda one: f"{one.title}-{one.word}")
def test_the_example_of_each_word_lints_clean(one: Entry, tmp_path: Path) -> None:
    place = tmp_path / "acme.yaml"
    place.write_text(json.dumps(page(one)))
    found = [str(each) for each in lint_file(place, registry()) if each.level != "note"]
    assert [] == [text for text in found if "unknown-field" not in text]


@pytest.mark.parametrize("one", ENTRIES, ids=lambda one: f"{one.title}-{one.word}")
def test_the_row_of_each_word_shows_it_in_its_example(one: Entry) -> None:
    word, trouble, example = one.row().strip("|").split(" | ", 2)
    assert (f" `{one.word}`", one.trouble) == (word, trouble)
    assert one.word in example


def test_every_part_that_meets_a_vendor_has_a_row() -> None:
    kinds = ("auth", "paginate", "decode")
    words = {word for kind, word, _ in registry().parts() if kind in kinds}
    assert set() == words - set(re.findall(r"^\| `(\w+)`", vocabulary(registry()), re.MULTILINE))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"send": "query.page", "size": 50}, "{ send: query.page, size: 50 }"),
        ({"token": "${secret.token}"}, '{ token: "${secret.token}" }'),
        (["a", 1, None, True], "[a, 1, null, true]"),
        ("30s", "30s"),
        ("10/s", "10/s"),
        ("8", '"8"'),
        ({}, "{}"),
    ],
)
def test_an_example_stands_on_one_line(value: Any, text: str) -> None:
    assert text == flow(value)
