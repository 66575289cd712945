"""A page in its long form: every word written out, with a comment where it is not the author's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from engine.core.decoding import Chain
from engine.core.errors import SpecError
from engine.core.kinds import Part
from engine.core.template import Template
from engine.spec import yamlfile
from engine.spec.lint import lint
from engine.spec.lint.secrets import written_secrets
from engine.spec.read import Source
from engine.spec.yamlfile import Node

PLAIN = re.compile(r"[A-Za-z_/$][\w./${}(),\-]*( [\w./${}(),\-]+)*", re.ASCII)
WORDS = {"true", "false", "null"}
Origins = Mapping[Any, str]


def resolved(source: Source) -> str:
    """The page as YAML that reads back as the same page; raises SpecError for one with a secret written out."""
    if found := lint(source, [written_secrets]):
        raise SpecError("a secret stands on the page", findings=tuple(found))
    origins = _origins(source)
    return "\n".join(_model(source.pipeline, source.document.root, 0, origins)) + "\n"


def _origins(source: Source) -> dict[Any, str]:
    """Place -> where a value came from, for what `defaults` and `styles` brought."""
    whole = yamlfile.parse(source.document.text, source.document.file).root.value
    assert isinstance(whole, dict)
    found: dict[Any, str] = {}
    if "defaults" in whole:
        found |= dict.fromkeys(_marks(whole["defaults"]), "from defaults")
    styles = whole["styles"].value if "styles" in whole else {}
    for name, node in styles.items() if isinstance(styles, dict) else ():
        found |= dict.fromkeys(_marks(node), f"from style {name}")
    own = set(_marks(whole["endpoints"])) if "endpoints" in whole else set()
    return {mark: origin for mark, origin in found.items() if mark not in own}


def _marks(node: Node) -> Iterator[Any]:
    yield node.mark
    for below in (
        node.value.values() if isinstance(node.value, dict) else node.value if isinstance(node.value, list) else ()
    ):
        yield from _marks(below)


def _model(model: BaseModel, node: Node | None, depth: int, origins: Origins) -> Iterator[str]:
    """The lines of a mapping: what is null because nobody said it is left out."""
    for name, field in type(model).model_fields.items():
        value, word = getattr(model, name), field.alias or name
        if name in model.model_fields_set:
            yield from _entry(_key(word), value, _below(node, word), depth, origins)
        elif value is not None and value != Chain():  # a chain of nothing is JSON as it comes
            yield from _entry(_key(word), value, None, depth, origins, "  # default")


def _entry(head: str, value: Any, node: Node | None, depth: int, origins: Origins, said: str = "") -> Iterator[str]:
    """`head: value`, on one line or with the lines of what is inside below it."""
    pad = "  " * depth
    origin = origins.get(node.mark) if node else None
    comment = said or (f"  # {origin}" if origin else "")
    inside = {} if origin and not said else origins
    lines = list(_lines(value, node, depth + 1, inside))
    first, *rest = ["", *lines] if lines else (" " + _scalar(value, depth)).split("\n")
    yield f"{pad}{head}:{first}{comment}"
    yield from rest


def _lines(value: Any, node: Node | None, depth: int, origins: Origins) -> Iterator[str]:
    """The lines of a mapping or list; none for what stands on its key's line."""
    value = value.written if isinstance(value, Chain) else value
    if isinstance(value, Part):
        below = _below(node, value.word)
        inside = list(_model(value, below, depth + 1, origins))
        yield f"{'  ' * depth}{value.word}:" + ("" if inside else " {}")
        yield from inside
    elif isinstance(value, BaseModel):
        yield from _model(value, node, depth, origins)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _entry(_key(str(key)), one, _below(node, str(key)), depth, origins)
    elif isinstance(value, (list, tuple)):
        for at, one in enumerate(value):
            yield from _item(one, _below(node, at), depth, origins)


def _item(value: Any, node: Node | None, depth: int, origins: Origins) -> Iterator[str]:
    """One entry of a list, its first line behind the dash."""
    lines = list(_lines(value, node, depth + 1, origins))
    pad = "  " * depth
    origin = origins.get(node.mark) if node else None
    if lines:
        yield f"{pad}- {lines[0].lstrip()}"
        yield from lines[1:]
    else:
        yield f"{pad}- {_scalar(value, depth)}" + (f"  # {origin}" if origin else "")


def _below(node: Node | None, step: str | int) -> Node | None:
    """The node one step down; a shorthand stands for what it leaves out."""
    if node is None:
        return None
    if isinstance(node.value, dict):
        return node.value.get(str(step)) if str(step) in node.value else None
    if isinstance(node.value, list) and isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    return node


def _key(text: str) -> str:
    return text if _is_plain(text) else json.dumps(text, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    return bool(PLAIN.fullmatch(text)) and text.lower() not in WORDS


def _scalar(value: Any, depth: int) -> str:
    if isinstance(value, (Mapping, BaseModel)):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value)
    if "\n" in text and not isinstance(value, Template) and _fits_a_block(text):
        pad = "  " * (depth + 1)
        return ("|\n" if text.endswith("\n") else "|-\n") + "\n".join(
            pad + line if line else "" for line in text.removesuffix("\n").split("\n")
        )
    return text if _is_plain(text) else json.dumps(text, ensure_ascii=False)


def _fits_a_block(text: str) -> bool:
    """Whether a text survives as `|`: no space in front, none but one line break at the end, nothing unprintable."""
    return text[0] not in " \n\t" and not text.endswith("\n\n") and all(c.isprintable() or c == "\n" for c in text)
