"""Words found by kind, those of other packages too."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.kinds import KINDS
from engine.core.registry import Registry, class_name
from engine.parts.paginate.start_key import StartKey


@pytest.fixture
def registry() -> Registry:
    return Registry({kind: f"engine.parts.{kind}" for kind in KINDS})


def test_a_word_leads_to_its_class_which_knows_its_word(registry: Registry) -> None:
    assert (StartKey, "start_key") == (registry.part("paginate", "start_key"), StartKey.word)


def test_an_unknown_word_leads_to_nothing(registry: Registry) -> None:
    assert registry.part("paginate", "ofset") is None


def test_a_part_is_found_in_its_own_kind_alone(registry: Registry) -> None:
    assert registry.part("auth", "offset") is None


@pytest.mark.parametrize(("word", "name"), [("start_key", "StartKey"), ("csv", "Csv"), ("none", "None_")])
def test_a_class_is_named_as_its_word(word: str, name: str) -> None:
    assert name == class_name(word)


PART = """
from engine.parts.paginate.none import None_
class Elsewhere(None_):
    pass
"""


@pytest.fixture
def package(tmp_path: Path) -> Iterator[None]:
    """A package beside the engine, with an entry point as an installer writes it."""
    (tmp_path / "acme_parts.py").write_text(PART)
    info = tmp_path / "acme_parts-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-parts\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[engine.parts]\npaginate.elsewhere = acme_parts:Elsewhere\n")
    sys.path.insert(0, str(tmp_path))
    yield
    sys.path.remove(str(tmp_path))
    sys.modules.pop("acme_parts", None)


@pytest.mark.usefixtures("package")
def test_a_package_beside_the_engine_brings_words(registry: Registry) -> None:
    part = registry.part("paginate", "elsewhere")
    assert part is not None
    assert ("Elsewhere", "elsewhere") == (part.__name__, part.word)
    assert "elsewhere" == registry.words("paginate")[-1]
