"""Numbers that an answer says of the whole list: read from a page, and told by the vendor's side."""

from __future__ import annotations

from engine.core.errors import Json
from engine.core.select import compile
from engine.core.wire import Page


def number(page: Page, path: str | None) -> int | None:
    """The whole number at a path, also where it is written as a text; None where there is none."""
    found = page.read(path) if path else None
    return int(found) if isinstance(found, (int, str)) and str(found).isdecimal() else None


def told(path: str | None, value: Json) -> tuple[dict[str, Json], dict[str, str]]:
    """The value at a plain path of the answer or of the headers, as a page is served."""
    root, *keys = (compile(path).plain if path else None) or ("",)
    if root == "headers":
        return {}, {".".join(keys): str(value).lower()}
    return ({".".join(keys): value} if keys else {}), {}
