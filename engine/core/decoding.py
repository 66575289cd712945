"""Chains of decoders: how an answer, or a field, that is no JSON becomes JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from engine.core.errors import Json, Mistake, nearest
from engine.core.kinds import Decoder, TooLarge, Undecodable
from engine.core.registry import Registry


@dataclass(frozen=True)
class Chain:
    """Decoders in the order in which they are applied, `gzip+csv`; without any the bytes are JSON already."""

    links: tuple[Decoder, ...] = ()

    def __str__(self) -> str:
        return "+".join(link.word for link in self.links) or "json"

    @property
    def written(self) -> Json:
        """The chain as a page may write it, with all that it was told."""
        if not any(link.model_fields_set for link in self.links):
            return str(self)
        return [{link.word: link.model_dump(mode="json", exclude_defaults=True)} for link in self.links]

    @property
    def gives_json(self) -> bool:
        """Whether what comes out is JSON."""
        return not self.links or self.links[-1].gives == "json"

    def decode(self, data: bytes, most_bytes: int, charset: str | None = None) -> bytes:
        """What the bytes hold, of several files the lists in them joined to one.

        Raises Undecodable, and TooLarge for what grows beyond so many bytes.
        """
        pieces = [data]
        for link in self.links:
            pieces = list(_undone(link, pieces, most_bytes, charset))
        return _joined(pieces) if any(link.gives == "files" for link in self.links) else pieces[0]

    def encode(self, data: bytes) -> bytes:
        """The vendor's side: JSON as it is sent."""
        for link in reversed(self.links):
            data = link.encode(data)
        return data

    @classmethod
    def read(cls, value: Json, registry: Registry) -> Self:
        """The chain that `written` gave. Raises Mistake."""
        return cls._read(value, {"registry": registry})

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(lambda value, info: cls._read(value, info.context or {}))

    @classmethod
    def _read(cls, value: Any, context: dict[str, Any]) -> Self:
        """`gzip+csv`, `{ csv: { … } }`, or a list of such links."""
        if isinstance(value, cls):
            return value
        said = value.split("+") if isinstance(value, str) else value if isinstance(value, list) else [value]
        links = tuple(_link(one, context) for one in said)
        for link in links[:-1]:
            if link.gives == "json":
                raise Mistake("decode", f"{link.word} stands last: what it gives is JSON already", "write gzip+csv")
        if not links or links[-1].gives == "files":
            raise Mistake("decode", "what is in the files is not said", "write zip+csv")
        return cls(links)


def _link(value: Any, context: dict[str, Any]) -> Decoder:
    registry: Registry = context["registry"]
    if isinstance(value, dict) and len(value) != 1:
        raise Mistake("one-word", "a link of a chain is one word with its settings", "write [gzip, { csv: { … } }]")
    word, settings = next(iter(value.items())) if isinstance(value, dict) else (value, {})
    part = registry.part("decode", word) if isinstance(word, str) else None
    if part is None:
        words = registry.words("decode")
        raise Mistake(
            "decode", f'nothing is decoded as "{word}"{nearest(str(word), words)}', f"there are {', '.join(words)}"
        )
    found = part.of(settings, context, word)
    assert isinstance(found, Decoder)
    return found


def _of_answer(chain: Chain) -> Chain:
    if not chain.gives_json:
        raise Mistake("decode", f"{chain} gives bytes: what is in them is not said", f"write {chain}+json")
    return chain


def _of_field(chain: Chain) -> Chain:
    if not (first := chain.links[0]).in_text:
        raise Mistake("decode", f"a text cannot hold {first.word} alone", f"write base64+{chain}")
    return chain


AnswerChain = Annotated[Chain, AfterValidator(_of_answer)]
"""How an answer becomes JSON."""
FieldChain = Annotated[Chain, AfterValidator(_of_field)]
"""How a text is decoded: to the value that JSON holds, or to another text."""


def _undone(link: Decoder, pieces: Sequence[bytes], most_bytes: int, charset: str | None) -> Iterator[bytes]:
    left = most_bytes
    for number, piece in enumerate(pieces, start=1):
        try:
            for one in link.decode(piece, left, charset):
                left -= len(one)
                if left < 0:
                    raise TooLarge
                yield one
        except TooLarge:
            raise TooLarge(f"unpacks to more than {most_bytes:,} bytes") from None
        except Undecodable as error:
            where = f"holds a file, number {number}, that " if len(pieces) > 1 else ""
            raise Undecodable(f"{where}{error}") from None


def _joined(pieces: Sequence[bytes]) -> bytes:
    """One list of the JSON of several files: what is a list joins in with its elements."""
    texts = [piece.strip() for piece in pieces]
    insides = [text[1:-1].strip() if text.startswith(b"[") else text for text in texts]
    return b"[" + b",".join(inside for inside in insides if inside) + b"]"
