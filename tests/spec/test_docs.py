"""Every block of YAML in the docs is a page that lints clean, a piece of the page above it, or a config.yaml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.app.config import load
from engine.app.engine import registry
from engine.core.errors import Json
from engine.spec.lint import lint_file
from engine.spec.yamlfile import parse, plain

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```yaml ?(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CHOSEN = ("auth", "paginate", "decode")
"""Words whose value is chosen by its key: a piece replaces it."""
BY_HAND = [ROOT / "README.md", *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.stem != "reference")]


def blocks(mark: str) -> Iterator[Any]:
    """The blocks with a mark behind `yaml`, each with its file and number, together with the page it belongs to."""
    for path in BY_HAND:
        page: dict[str, Json] = {}
        for number, found in enumerate(BLOCK.finditer(path.read_text())):
            if found[1] != mark:
                continue
            tree = plain(parse(found[2], path.name).root)
            page = tree if "version" in tree else laid_over(page, tree)
            text = found[2] if page is tree or mark else json.dumps(page)
            yield pytest.param(text, id=f"{path.stem}-{number}")


def laid_over(page: Json, piece: Json) -> Json:
    if not isinstance(page, dict) or not isinstance(piece, dict):
        return piece
    return {
        **page,
        **{key: value if key in CHOSEN else laid_over(page.get(key), value) for key, value in piece.items()},
    }


@pytest.mark.parametrize("text", list(blocks("")))
def test_a_page_in_the_docs_lints_clean(text: str, tmp_path: Path) -> None:
    place = tmp_path / "page.yaml"
    place.write_text(text)
    assert "" == "\n".join(found.as_text() for found in lint_file(place, registry()))


@pytest.mark.parametrize("text", list(blocks("config")))
def test_a_config_in_the_docs_can_be_read(text: str, tmp_path: Path) -> None:
    place = tmp_path / "config.yaml"
    place.write_text(text)
    assert tmp_path / "storage" == load(place, {"LIBRARY_TOKEN": "t"}).storage


def test_every_link_in_the_docs_leads_to_a_file() -> None:
    links = {(path, link) for path in BY_HAND for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())}
    assert [] == sorted(f"{path.name}: {link}" for path, link in links if not (path.parent / link).exists())


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.stem)
def test_every_command_and_flag_in_the_docs_exists(path: Path) -> None:
    from engine.cli.main import commands

    said = re.findall(r"^(?:\S+ )?engine ([a-z]+)((?: [^#`\n]*)?)", path.read_text(), re.MULTILINE)
    said += re.findall(r"`engine ([a-z]+)([^`\n]*)`", path.read_text())
    unknown = [word for word, _ in said if word not in commands.commands]
    flags = [(word, flag) for word, rest in said for flag in re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)]
    options = {
        word: {one for param in command.params for one in param.opts} for word, command in commands.commands.items()
    }
    assert ([], []) == (unknown, [(word, flag) for word, flag in flags if flag not in options.get(word, ())])
