"""Link headers: where an answer leads. Source: RFC 8288."""

from __future__ import annotations

import re
from urllib.parse import urljoin

from engine.core.errors import Mistake

NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE = r'"(?:[^"\\]|\\.)*"|[^\s;,"]*'
LINK = re.compile(rf"[\s,]*<([^>]*)>\s*((?:;\s*(?:{NAME}\s*(?:=\s*(?:{VALUE})\s*)?)?)*)(?:,|$)", re.DOTALL)
PARAMETER = re.compile(rf";\s*({NAME})\s*(?:=\s*({VALUE}))?", re.DOTALL)

MEND = "report it to the vendor; until then read the address from the answer with next_url, if it is there"


def links(header: str, base: str) -> dict[str, dict[str, str]]:
    """Relation in lower case -> `url`, absolute, and the attributes of the first link of that relation.

    `base` is the address that was asked; links about another address (`anchor`) are left out. Several headers come
    joined by commas. Raises Mistake for what is no list of links: taken for none, it would end a list before its end.
    """
    found: dict[str, dict[str, str]] = {}
    at = 0
    while header[at:].strip(" \t,"):
        link = LINK.match(header, at)
        if link is None:
            raise Mistake("link", f"the header Link cannot be read: {header[at : at + 80].strip()}", MEND)
        at = link.end()
        about: dict[str, str] = {}
        for name, value in PARAMETER.findall(link[2]):
            about.setdefault(name.lower(), _plain(value))
        if "anchor" not in about:
            for relation in about.get("rel", "").lower().split():
                found.setdefault(relation, {**about, "url": _absolute(link[1], base)})
    return found


def _plain(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL) if value.startswith('"') else value


def _absolute(target: str, base: str) -> str:
    try:
        return urljoin(base, target.strip())
    except ValueError:
        raise Mistake("link", f"the header Link leads to what is no address: {target[:80]}", MEND) from None
