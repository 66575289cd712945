"""A part is one word in three spellings, explained where it stands."""

import importlib
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from engine.core.kinds import KINDS, Part
from engine.core.registry import Registry, class_name
from engine.spec.model import Pipeline
from engine.spec.vocabulary import entries
from engine.spec.yamlfile import parse
from tests.house.source import ROOT

REGISTRY = Registry({kind: f"engine.parts.{kind}" for kind in KINDS})


def _files(kind: str) -> set[str]:
    """The files that are words; one that starts with an underscore is shared by its neighbours."""
    return {path.stem for path in (ROOT / "engine/parts" / kind).glob("[!_]*.py")}


def _example(part: type[Part]) -> Any:
    """What stands below `Example:` in the docstring: sections of a page, or one entry of a list or mapping."""
    text = (part.__doc__ or "").partition("Example:")[2]
    return parse(textwrap.dedent(text), part.__name__).plain()


def _page(kind: str, example: Any) -> dict[str, Any]:
    """A page around an example."""
    page: dict[str, Any] = {
        "version": 1,
        "tool": "acme",
        "connection": {"base_url": "https://api.example.com"},
        "endpoints": {"findings": "/findings"},
    }
    if kind in ("auth", "paginate", "decode", "outputs"):
        return {**page, **example}
    section = "validate" if kind == "rules" else "enrich"
    return {**page, "tables": {"findings": {"from": "findings", section: example}}}


def _models(part: type[Part]) -> Iterator[type[BaseModel]]:
    """The part and the models for its settings that stand in the same file."""
    for found in vars(importlib.import_module(part.__module__)).values():
        if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == part.__module__:
            yield found


def test_each_word_has_a_file_and_each_file_a_word() -> None:
    assert {kind: _files(kind) for kind in KINDS} == {kind: set(REGISTRY.words(kind)) for kind in KINDS}


def test_each_word_is_listed_once() -> None:
    words = [(kind, word) for kind in KINDS for word in REGISTRY.words(kind)]
    assert [] == [word for word in words if words.count(word) > 1]


def test_each_class_is_named_as_its_word() -> None:
    assert [] == [word for _, word, part in REGISTRY.parts() if part.__name__ != class_name(word)]


def test_each_part_is_of_the_kind_of_its_folder_and_frozen() -> None:
    parts = list(REGISTRY.parts())
    assert [] == [word for kind, word, part in parts if part.kind != kind or not part.model_config.get("frozen")]


def test_each_part_can_read_the_example_of_its_docstring() -> None:
    for kind, word, part in REGISTRY.parts():
        page = _page(kind, _example(part))
        assert word in str(page), f"{kind} {word} has no example of itself"
        Pipeline.model_validate(page, context={"registry": REGISTRY})


def test_each_field_of_a_part_has_a_description() -> None:
    assert [] == [
        f"{word}: {model.__name__}.{name}"
        for _, word, part in REGISTRY.parts()
        for model in _models(part)
        for name, field in model.model_fields.items()
        if not field.description
    ]


def test_each_word_that_meets_a_vendor_says_what_it_does_when_the_vendor_misbehaves() -> None:
    """Its docstring has a paragraph that starts with `Misbehaving:`; docs/vocabulary.md shows it beside the example."""
    assert [] == [f"{one.title}: {one.word}" for one in entries(REGISTRY) if not one.trouble or not one.example]
