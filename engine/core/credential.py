"""Texts that may not stand on a page as they are: credentials, and addresses that hold some."""

from __future__ import annotations

import re
from typing import Any, Self
from urllib.parse import urlsplit

from engine.core import template
from engine.core.errors import Mistake
from engine.core.template import Template

EXPOSED = "page-secret"
"""The code of such a mistake; nobody shows the line where it was found."""
USER = re.compile(r"(\w+:)?//[^/?#]*@")


class Credential(Template):
    """A text that comes from a secret."""

    @classmethod
    def read(cls, value: Any) -> Self:
        """The value as this kind of text; raises Mistake when it is written out."""
        if not isinstance(value, str) or template.compile(value).constant:
            fix = 'name it in secrets, take it out here, and write "${secret.NAME}"'
            raise Mistake(EXPOSED, "a secret stands on the page, where it would be kept and shown", fix)
        return cls(value)


def has_user(text: str) -> bool:
    """Whether an address holds a name or password: `https://name:password@host`."""
    return bool(USER.match(text))


def check_address(text: str) -> None:
    """Raise Mistake when a text is no address that can be asked, or holds credentials."""
    if has_user(text) or "@" in text.split("/")[0]:
        fix = "take the name and password out, and sign with connection.auth"
        raise Mistake(EXPOSED, "credentials stand in an address, where they would be kept and shown", fix)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        fix = f"write https://{text}" if "://" not in text else "write http://… or https://…"
        raise Mistake("address", f'"{text}" is no address of the web', fix)
