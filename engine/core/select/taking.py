"""The records of an answer, with values at other plain paths, taken out of its bytes in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, overload

import msgspec

from engine.core.select.expression import Path
from engine.core.select.fields import spellable
from engine.core.select.raw import NULL, UNREADABLE

LIST = list[msgspec.Raw]
Tree = dict[str, Any]
"""Key -> the tree below it, or the type of the value."""


def together(rows: Sequence[bytes | msgspec.Raw]) -> bytes:
    """Records as one JSON list; not by `%`, which takes ten times as long for some hundred kilobytes."""
    return rows.text if isinstance(rows, Records) else b"".join((b"[", b",".join(rows), b"]"))


class Records(Sequence[bytes]):
    """The raw JSON of each record of a page: views that keep its text alive, made bytes where somebody looks at one."""

    __hash__: ClassVar[None]  # type: ignore[assignment]  # as of a list

    def __init__(self, raws: list[msgspec.Raw]) -> None:
        self._raws = raws

    @cached_property
    def text(self) -> bytes:
        """All of them as one JSON list."""
        return together(self._raws)

    def __len__(self) -> int:
        return len(self._raws)

    def __iter__(self) -> Iterator[bytes]:
        return map(bytes, self._raws)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Records: ...
    def __getitem__(self, at: int | slice) -> bytes | Records:
        return Records(self._raws[at]) if isinstance(at, slice) else bytes(self._raws[at])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)


@dataclass(frozen=True)
class Taken:
    """What was found in an answer that is JSON from its beginning to its end."""

    rows: Records | None
    """None where there is null, or nothing."""
    at: Mapping[Path, msgspec.Raw | None]
    """Path -> its JSON text; None for null, and for nothing."""


class Taking:
    """Takes the list of records at a plain path, and values at others, where these do not lie on its way."""

    def __init__(self, records: Path, others: Iterable[Path] = ()) -> None:
        tree: Tree = {}
        self._records = records
        is_object = bool(records) and _put(tree, records, LIST)
        self._others = [one for one in dict.fromkeys(others) if one and is_object and _put(tree, one, msgspec.Raw)]
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct(tree) if is_object else LIST)

    def of(self, body: bytes) -> Taken | None:
        """What is found; None where the body is shaped otherwise, or is no JSON."""
        try:
            found = self._decoder.decode(body)
        except UNREADABLE:
            return None
        raws = _at(found, self._records)
        texts = {path: _at(found, path) for path in self._others}
        return Taken(
            None if raws is None else Records(raws),
            {path: None if not text or text == NULL else text for path, text in texts.items()},
        )


def taking(records: Path | None, others: Iterable[Path] = ()) -> Taking | None:
    """What takes them in one pass; None where that cannot be."""
    if records is None or not all(map(spellable, records)):
        return None
    return Taking(records, [path for path in others if all(map(spellable, path))])


def _put(tree: Tree, path: Path, leaf: Any) -> bool:
    """Add a value to what is taken; gives whether that can be."""
    at: Any = tree
    for key in path[:-1]:
        at = at.setdefault(key, {})
        if not isinstance(at, dict):
            return False
    return at.setdefault(path[-1], leaf) is leaf


def _struct(tree: Tree) -> Any:
    """The type of a document with these values."""
    fields: list[tuple[str, Any, Any]] = []
    for key, one in tree.items():
        is_text = one is msgspec.Raw
        kind = one if is_text else (_struct(one) if isinstance(one, dict) else one) | None
        fields.append((_name(key), kind, msgspec.Raw() if is_text else None))
    return msgspec.defstruct("Answer", fields, rename={_name(key): key for key in tree}, gc=False)


def _name(key: str) -> str:
    return f"f{key.encode().hex()}"


def _at(found: Any, path: Path) -> Any:
    for key in path:
        found = None if found is None else getattr(found, _name(key))
    return found
