"""The address of a PostgreSQL as it stands in config.yaml, which is never shown with its password."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from engine.core.errors import Mistake

SCHEMES = ("postgresql", "postgres")
SCHEMA = "engine"
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
FORM = "write postgresql://user:password@host:5432/database, best as ${DATABASE_URL}"


def parted(url: str) -> tuple[str, str]:
    """The URL as PostgreSQL's own library takes it, and the schema that `?schema=` names. Raises Mistake."""
    scheme, colon, _ = url.partition("://")
    if not colon or scheme not in SCHEMES:
        begins = f'"{scheme}"' if colon and scheme.isidentifier() else "something else"
        text = f"the ledger lies in PostgreSQL or in the storage itself, and database_url begins with {begins}"
        raise Mistake("config", text, f"{FORM}, or leave database_url out")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Mistake("config", "database_url has no host or port that can be read", FORM) from None
    said = parse_qsl(parts.query, keep_blank_values=True)
    schema = dict(said).get("schema", SCHEMA)
    if not NAME.fullmatch(schema):
        text = f'database_url names the schema "{schema}"'
        raise Mistake("config", text, "a schema's name has lower-case letters, digits and _")
    if not host and "host" not in dict(said) and parts.netloc:
        raise Mistake("config", "database_url names no host", FORM)
    before, _, query = url.partition("?")  # what is left stays as it is written: PostgreSQL reads a + otherwise
    rest = "&".join(one for one in query.split("&") if one and not one.startswith("schema="))
    return f"{before}?{rest}" if rest else before, schema


def shown(url: str) -> str:
    """The URL for people: where the ledger lies, and nothing by which one signs in."""
    parts = urlsplit(url)
    _, schema = parted(url)
    return f"{parts.hostname or 'this machine'}{f':{parts.port}' if parts.port else ''}{parts.path} (schema {schema})"


def without_password(text: str, url: str) -> str:
    """A text that may quote the URL, without what signs in."""
    parts = urlsplit(url)
    secrets = [parts.password or "", dict(parse_qsl(parts.query)).get("password", "")]
    for secret in filter(None, [*secrets, *map(unquote, secrets)]):
        text = text.replace(secret, "…")
    return text
