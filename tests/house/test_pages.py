"""The pages that ship with the engine are right, and so is what lint says about wrong ones."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.app import Engine
from tests.house.source import ROOT, dotted, modules


def _codes() -> Iterator[str]:
    """Every code that a finding can carry: the first text given to Mistake, the second to Finding."""
    place = {"Mistake": 0, "Finding": 1}
    for module in modules():
        for call, _ in module.nodes:
            if isinstance(call, ast.Call) and (position := place.get(dotted(call.func))) is not None:
                named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
                for code in named or call.args[position : position + 1]:
                    if isinstance(code, ast.Constant):
                        yield str(code.value)


def _texts(tree: Any) -> Iterator[str]:
    """All keys and scalars of a YAML tree, as text."""
    match tree:
        case dict():
            for key, value in tree.items():
                yield str(key)
                yield from _texts(value)
        case list():
            for value in tree:
                yield from _texts(value)
        case _:
            yield str(tree)


@pytest.mark.parametrize("page", sorted((ROOT / "pipelines").glob("*.yaml")), ids=lambda page: page.stem)
def test_each_page_lints_clean(page: Path) -> None:
    assert [] == [str(found) for found in Engine.from_config(env={}).lint(page) if found.level != "note"]


def test_each_lint_code_has_a_case() -> None:
    cases = yaml.load((ROOT / "tests/cases/lint.yaml").read_text(), Loader=yaml.CSafeLoader)
    assert {"config"} == set(_codes()) - set(_texts(cases))  # what is wrong with config.yaml is no lint
