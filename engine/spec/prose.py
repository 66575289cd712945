"""What the docstring of a word says, for editors and the docs: its text, what it does in trouble, its example."""

from __future__ import annotations

import inspect
import textwrap

from pydantic import BaseModel

TROUBLE = "Misbehaving:"
"""Begins the paragraph that says what a word does when the vendor misbehaves."""


def prose(model: type[BaseModel]) -> str:
    """The docstring without its example."""
    return "\n\n".join(_paragraphs(model)).replace(TROUBLE, "**When the vendor misbehaves:**")


def summary(model: type[BaseModel]) -> str:
    """The first paragraph of the docstring."""
    return _paragraphs(model)[0]


def misbehaving(model: type[BaseModel]) -> str:
    """What the word does when the vendor misbehaves; an empty text where the docstring does not say."""
    said = (one for one in _paragraphs(model) if one.startswith(TROUBLE))
    return next(said, "").removeprefix(TROUBLE).strip()


def sample(model: type[BaseModel]) -> str:
    """The example of the docstring, as YAML."""
    return textwrap.dedent(_doc(model)[1]).strip("\n")


def _paragraphs(model: type[BaseModel]) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in _doc(model)[0].split("\n\n")]


def _doc(model: type[BaseModel]) -> tuple[str, str]:
    text, _, example = (inspect.getdoc(model) or "").partition("\nExample:\n")
    return text.strip(), example
