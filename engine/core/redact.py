"""Takes out of a record what must never be kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from engine.core import jsontext
from engine.core.errors import Json

DROP = object()
Mend = Callable[[Json], Json]


def drop(value: Json) -> Json:
    """Leave the field out."""
    return DROP


def hashed(value: Json) -> Json:
    """The SHA-256 of the text, or of the JSON of what is no text; null stays null."""
    if value is None:
        return None
    raw = value.encode() if isinstance(value, str) else jsontext.canonical(value).encode()
    return hashlib.sha256(raw).hexdigest()


def redact(record: Json, path: str, mend: Mend) -> Json:
    """A copy of the record with what the path names mended: `a.b`, `a[].b`, `**.b` at any depth."""
    return _walk(record, path.replace("[]", ".[]").split("."), mend)


def _walk(value: Json, keys: list[str], mend: Mend) -> Json:
    if not keys:
        return mend(value)
    key, rest = keys[0], keys[1:]
    if key == "**":
        return _everywhere(value, keys, mend)
    if key == "[]" or isinstance(value, list):
        if not isinstance(value, list):
            return value
        behind = rest if key == "[]" else keys
        return [one for one in (_walk(item, behind, mend) for item in value) if one is not DROP]
    if not isinstance(value, dict) or key not in value:
        return value
    return _with(value, key, _walk(value[key], rest, mend))


def _everywhere(value: Json, keys: list[str], mend: Mend) -> Json:
    """`**`: the rest of the path at this depth and at every depth below."""
    if isinstance(value, list):  # its items are mended each by itself: twice would be a hash of a hash
        return [_everywhere(one, keys, mend) for one in value]
    value = _walk(value, keys[1:], mend)
    return {key: _everywhere(one, keys, mend) for key, one in value.items()} if isinstance(value, dict) else value


def _with(value: dict[str, Json], key: str, new: Json) -> dict[str, Json]:
    changed = {**value, key: new}
    if new is DROP:
        del changed[key]
    return changed
