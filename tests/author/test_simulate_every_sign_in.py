"""The example of every way to sign in, run against the simulated vendor as a person would."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from engine.app import Engine
from engine.app.config import Config
from engine.app.engine import registry
from engine.author.simulate import Simulator
from engine.spec.yamlfile import parse

PARTS = [(word, part) for kind, word, part in registry().parts() if kind == "auth"]


@pytest.mark.parametrize(("word", "part"), PARTS, ids=[word for word, _ in PARTS])
def test_whoever_signs_in_as_the_example_says_is_let_in(word: str, part: type, tmp_path: Path) -> None:
    example = parse(textwrap.dedent((part.__doc__ or "").partition("Example:")[2]), word).plain()
    endpoints = {
        "things": {"get": "/a b/things", "query": {"q": "é&="}, "records": "things"},
        "posted": {"post": "/search", "body": {"name": "é", "n": [1, 2.5]}, "records": "things"},
        "form": {"post": "/form", "form": {"a": "x y&é"}, "records": "things"},
    }
    page = {"version": 1, "tool": "acme", **example, "endpoints": endpoints}
    place = tmp_path / "acme.yaml"
    place.write_text(json.dumps(page))
    engine = Engine(config=Config.model_validate({"storage": tmp_path / "storage"}), env={})
    result = engine.collect(place, vendor=Simulator.of(engine, place))
    assert ("succeeded", []) == (result.status, result.notes)
    assert {"things", "posted", "form"} == {one.endpoint for one in result.collections if one.rows}
