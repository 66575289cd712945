"""Fields of a record that hold encoded text: decoded, and encoded again for the vendor's side."""

from __future__ import annotations

from functools import partial

from engine.core import jsontext
from engine.core.charset import text
from engine.core.decoding import Chain
from engine.core.errors import Json
from engine.core.kinds import Undecodable
from engine.core.redact import redact


class NotEncoded(Exception):
    """A value is not what a chain says; the message shows nothing of it."""


def decoded(record: Json, fields: dict[str, Chain], most_bytes: int) -> Json:
    """The record with these fields decoded. Raises NotEncoded with the name of the field."""
    for path, chain in fields.items():
        try:
            record = redact(record, path, partial(_value, chain, most_bytes))
        except Undecodable as error:
            raise NotEncoded(f"{path} {error} (decode_fields: {chain})") from None
    return record


def _value(chain: Chain, most_bytes: int, value: Json) -> Json:
    """What a text holds: the value of JSON, else another text; null stays null."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Undecodable("is no text")
    found = chain.decode(value.encode(errors="replace"), most_bytes)
    return jsontext.read(found) if chain.gives_json else text(found)


def encoded(record: Json, fields: dict[str, Chain]) -> Json:
    """The vendor's side: the record as it is sent."""
    for path, chain in reversed(fields.items()):
        record = redact(record, path, partial(_sent, chain))
    return record


def _sent(chain: Chain, value: Json) -> Json:
    if value is None:
        return None
    is_text = isinstance(value, str) and not chain.gives_json
    return chain.encode(value.encode() if is_text else jsontext.write(value)).decode()
