"""The lint of secrets that are written out on the page, where they would be kept and shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from engine.core.credential import EXPOSED
from engine.core.errors import Mistake
from engine.spec.lint.look import Found, Look, is_default
from engine.spec.read import Loc

SECRET = re.compile(
    r"(?<!page)(?<!next)(?<!start)(?<!sync)(?<!delta)(?<!cursor)(?<!skip)(?<!resume)(?<!scroll)(?<!continuation)"
    r"(?<!csrf)(?<!xsrf)(?<!atlassian)token$|(authorization|cookie|secret|secretkey|password|passwd|apikey|accesskey)$"
)
"""Names of secrets, in small letters alone; tokens of paging and such as `X-Atlassian-Token: no-check` are none."""
PLACES = {"header", "query", "body", "form", "multipart"}
ADDRESSES = {"get", "post", "put", "patch", "base_url"}
SHORTEST = 8
MISTAKE = Mistake(
    EXPOSED,
    "a secret stands on the page, where it would be kept and shown",
    'name it in secrets, take it out here, and sign with connection.auth, which takes "${secret.NAME}"',
)


def written_secrets(look: Look) -> Iterator[Found]:
    """A value is written out below the name of a secret."""
    for path, value in look.leaves:
        if any(_is_secret(name, text) for name, text in _sent(path, value)):
            yield Found(path, MISTAKE)


def _sent(path: Loc, value: Any) -> Iterator[tuple[str, str]]:
    """Names with what would be sent by them."""
    if value is None or isinstance(value, bool):
        return
    names = [one for one in path if isinstance(one, str)]
    if is_default(path, value) or path[::2] == ("params", "default"):
        yield names[1], str(value)
    elif names[-1] in ADDRESSES and isinstance(value, str):
        yield from parse_qsl(value.partition("?")[2])
    elif PLACES & set(names[:-1]):
        yield names[-1], str(value)


def _is_secret(name: str, text: str) -> bool:
    bare = re.sub(r"[^a-z]", "", name.lower())
    return len(text) >= SHORTEST and "${" not in text and bool(SECRET.search(bare))
