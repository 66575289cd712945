"""Where the words of the language are found: kind and YAML word -> class, imported when first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from engine.core.kinds import KINDS, Part


@dataclass
class Registry:
    """All parts that can be named on a page.

    `homes` maps a kind to the package that holds its words in a tuple `WORDS`, one module a word. Parts of other
    packages come as entry points of the group `engine.parts`, named `kind.word`.
    """

    homes: dict[str, str]
    found: dict[tuple[str, str], type[Part]] = field(default_factory=dict)

    def words(self, kind: str) -> tuple[str, ...]:
        """The words of a kind, in the order of its list, those of other packages behind."""
        own: tuple[str, ...] = importlib.import_module(self.homes[kind]).WORDS
        return own + tuple(point.name.split(".", 1)[1] for point in _points(kind))

    def part(self, kind: str, word: str) -> type[Part] | None:
        """The class behind a word, or None when the kind has no such word."""
        if (kind, word) not in self.found:
            if word in importlib.import_module(self.homes[kind]).WORDS:
                module = importlib.import_module(f"{self.homes[kind]}.{word}")
                self.found[kind, word] = getattr(module, class_name(word))
            else:
                for point in _points(kind):
                    if point.name == f"{kind}.{word}":
                        self.found[kind, word] = point.load()
            if (kind, word) in self.found:
                self.found[kind, word].word = word
        return self.found.get((kind, word))

    def parts(self) -> Iterator[tuple[str, str, type[Part]]]:
        """Every kind, word and class, for the reference and the tests of the house."""
        for kind in KINDS:
            for word in self.words(kind):
                part = self.part(kind, word)
                assert part is not None
                yield kind, word, part


def class_name(word: str) -> str:
    """`start_key` -> `StartKey`; `none` -> `None_`, as `None` is Python's own."""
    return "".join(piece.capitalize() for piece in word.split("_")) + ("_" if word == "none" else "")


def _points(kind: str) -> list[EntryPoint]:
    return [point for point in _elsewhere(tuple(sys.path)) if point.name.startswith(f"{kind}.")]


@cache
def _elsewhere(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The parts of other packages: to find them opens a file of each installed package, too slow for every word."""
    return tuple(entry_points(group="engine.parts"))
