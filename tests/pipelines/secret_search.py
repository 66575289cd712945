"""Looks for secrets in everything that an engine leaves behind, in the spellings in which they may hide."""

import base64
import html
import json
import sqlite3
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import polars as pl

from engine.flow.raw import frames


def spellings(secret: str) -> set[str]:
    """The secret as it is, in base64 at each of three alignments, URL-encoded, escaped for JSON and HTML, in hex."""
    raw = secret.encode()
    escaped = json.dumps(secret)[1:-1]
    found = {secret, escaped, escaped.replace("/", "\\/"), html.escape(secret), raw.hex(), raw.hex().upper()}
    for encoded in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        found |= {encoded, encoded.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")}
    for before in range(3):
        # Characters that also hold bits of the text before or behind are left off.
        first, last = (before * 8 + 5) // 6, (before + len(raw)) * 8 // 6
        for encode in (base64.standard_b64encode, base64.urlsafe_b64encode):
            found.add(encode(bytes(before) + raw).decode()[first:last])
    return found


def search(secrets: Iterable[str], places: Iterable[tuple[str, str]]) -> list[str]:
    """`place: secret` for each secret that is found in a text, whatever its spelling."""
    known = {spelling: secret for secret in secrets for spelling in spellings(secret)}
    assert min(map(len, known)) >= 8, "a word so short is found by chance"
    names, texts = zip(*places, strict=True)
    hits = pl.Series(texts, dtype=pl.String).str.extract_many(list(known), leftmost=False)
    return sorted({f"{name}: {known[hit]}" for name, found in zip(names, hits, strict=True) for hit in found})


def kept(root: Path) -> Iterator[tuple[str, str]]:
    """Every file of a storage as a text, and what segments, Parquet files, workbooks and the ledger hold, decoded."""
    # All is read first: whoever opens the ledger of a run that was killed takes away the files beside it.
    for path, data in [(path, path.read_bytes()) for path in sorted(root.rglob("*")) if path.is_file()]:
        name = str(path.relative_to(root))
        # One character a byte, so that nothing is lost in files that are no text.
        yield name, data.decode("latin-1")
        if path.suffix == ".seg":
            yield from (
                (f"{name}#{number}", f"{frame.meta}\n{frame.body.decode()}")
                for number, frame in enumerate(frames(path))
            )
        elif path.suffix == ".parquet":
            yield f"{name}#cells", "\n".join(words(pl.read_parquet(path).to_dict(as_series=False)))
        elif path.suffix == ".db":
            yield f"{name}#rows", "\n".join(words(rows_of(path)))
        elif path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                yield from ((f"{name}#{part}", html.unescape(book.read(part).decode())) for part in book.namelist())
        elif path.suffix in (".html", ".json", ".jsonl", ".csv"):
            yield f"{name}#text", html.unescape(path.read_text())


def rows_of(path: Path) -> list[Any]:
    """The rows of every table of a ledger."""
    base = sqlite3.connect(path)
    try:
        tables = [name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [base.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables]
    finally:
        base.close()


def words(value: Any) -> Iterator[str]:
    """Everything in a value as texts."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield str(name)
            yield from words(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from words(one)
    elif isinstance(value, bytes):
        yield value.decode("latin-1")
    elif value is not None:
        yield str(value)
