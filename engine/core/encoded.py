"""Texts that hold something encoded: base64, gzip, JSON, and chains of these."""

from __future__ import annotations

import base64
import gzip
import io
import zlib
from functools import partial

from engine.core import jsontext
from engine.core.errors import Json, Mistake
from engine.core.redact import redact
from engine.core.values import Spelled

WORDS = ("base64", "gzip", "json")


class NotEncoded(Exception):
    """A value is not what a chain says; the message shows nothing of it."""


class Chain(Spelled):
    """How a text is encoded, from the outside in: `base64+gzip+json`."""

    pattern = r"(base64|gzip|json)(\+(base64|gzip|json))*"
    says = "how the text is encoded: base64, gzip, json or a chain such as base64+json"

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake for a word that is none, or that cannot stand where it does."""
        words = text.split("+")
        if unknown := [word for word in words if word not in WORDS]:
            raise Mistake("decode", f'nothing is decoded as "{unknown[0]}"', f"there are {', '.join(WORDS)}")
        if words[0] == "gzip":
            raise Mistake("decode", "a text cannot hold gzip alone", "write base64+gzip")
        if "json" in words[:-1]:
            raise Mistake("decode", "json stands last: behind it there is no text to decode", "write base64+json")

    def unpack(self, value: Json, most_bytes: int) -> Json:
        """The value that a text holds; null stays null. Raises NotEncoded, also for what grows beyond so many bytes."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise NotEncoded("is no text")
        found = value.encode()
        for word in self.split("+"):
            if word == "json":
                return _json(found)
            found = _base64(found) if word == "base64" else _gzip(found, most_bytes)
        try:
            return found.decode()
        except UnicodeDecodeError:
            raise NotEncoded("holds no text in UTF-8") from None

    def pack(self, value: Json) -> Json:
        """The vendor's side: a value as it is sent."""
        if value is None:
            return None
        words = self.split("+")
        text = jsontext.write(value) if words[-1] == "json" or not isinstance(value, str) else value.encode()
        for word in reversed([word for word in words if word != "json"]):
            text = base64.b64encode(text) if word == "base64" else gzip.compress(text, mtime=0)
        return text.decode()


def _base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)  # some break it into lines
    except ValueError:
        raise NotEncoded("is no base64") from None


def _gzip(packed: bytes, most_bytes: int) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            found = file.read(most_bytes + 1)
    except (OSError, EOFError, zlib.error):
        raise NotEncoded("is no gzip, or not whole") from None
    if len(found) > most_bytes:
        raise NotEncoded(f"unpacks to more than {most_bytes:,} bytes")
    return found


def _json(text: bytes) -> Json:
    try:
        return jsontext.read(text)
    except jsontext.NoJson:
        raise NotEncoded("holds no JSON") from None


def decoded(record: Json, fields: dict[str, Chain], most_bytes: int) -> Json:
    """The record with these fields decoded. Raises NotEncoded with the name of the field."""
    for path, chain in fields.items():
        try:
            record = redact(record, path, partial(chain.unpack, most_bytes=most_bytes))
        except NotEncoded as error:
            raise NotEncoded(f"{path} {error} (decode_fields: {chain})") from None
    return record


def encoded(record: Json, fields: dict[str, Chain]) -> Json:
    """The vendor's side: the record as it is sent."""
    for path, chain in reversed(fields.items()):
        record = redact(record, path, chain.pack)
    return record
