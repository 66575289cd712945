"""What every word of the language is: settings as fields, behaviour as methods, and how a page chooses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from engine.core import template
from engine.core.errors import Mistake, nearest
from engine.core.signing import SigningText
from engine.core.values import Secret

KINDS = ("auth", "paginate", "decode", "rules", "steps", "outputs")


class Part(BaseModel):
    """A word of the language: its settings are its fields, what it does are its methods. It does no I/O."""

    # What a page does not use is never built, which saves a tenth of the time that lint takes.
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", arbitrary_types_allowed=True)
    kind: ClassVar[str]
    word: ClassVar[str] = ""
    """How it is called on a page; the registry says so."""
    short: ClassVar[str | None] = None
    """The field that a bare value stands for: `unique: [id]` is `unique: { columns: [id] }`."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if cls._is_kind() and source is cls:  # its word chooses the class
            return core_schema.with_info_plain_validator_function(cls._choose)
        return handler(source)

    @classmethod
    def _is_kind(cls) -> bool:
        """Whether this is a kind itself, no word of one."""
        return "kind" in cls.__dict__ and Part in cls.__bases__

    @classmethod
    def _choose(cls, value: Any, info: core_schema.ValidationInfo) -> Self:
        """`none` or `{ offset: { … } }` -> the part of that word."""
        if isinstance(value, cls):
            return value
        registry = (info.context or {})["registry"]
        words = registry.words(cls.kind)
        word, settings = (value, {}) if isinstance(value, str) else _one_word(cls.kind, value, words)
        part = registry.part(cls.kind, word)
        if part is None:
            text = f'no {NOUNS[cls.kind]} is called "{word}"{nearest(word, words)}'
            raise Mistake("unknown-word", text, f"there are {', '.join(words)}")
        chosen: Self = part.of(settings, info.context, word)
        return chosen

    @classmethod
    def of(cls, settings: Any, context: dict[str, Any] | None, word: str) -> Self:
        """The part with these settings; errors keep their place below the word."""
        words = {field.alias or name for name, field in cls.model_fields.items()}
        if cls.short and not (isinstance(settings, dict) and (set(settings) <= words or set(settings) & words)):
            settings = {cls.short: settings}
        try:
            return cls.model_validate({} if settings is None else settings, context=context)
        except ValidationError as error:
            raise PydanticCustomError(
                "below", "below {word}", {"word": word, "part": cls, "errors": error.errors()}
            ) from None

    def filled(self, scope: Mapping[str, Any]) -> Self:
        """The part with every template rendered; what names a secret becomes a Secret."""
        return self.model_copy(update={name: fill(getattr(self, name), scope) for name in type(self).model_fields})


NOUNS = {
    "auth": "auth",
    "paginate": "paginator",
    "decode": "decoder",
    "rules": "rule",
    "steps": "step",
    "outputs": "output",
}


def _one_word(kind: str, value: Any, words: Sequence[str]) -> tuple[str, Any]:
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value.items()))
    said = [word for word in value if word in words] if isinstance(value, dict) else []
    fix = f"write {{ {said[0]}: {{ … }} }}" if len(said) == 1 else f"write one of {', '.join(said or words)}"
    raise Mistake("one-word", f"one {NOUNS[kind]} belongs here: its word is the key", fix)


def fill(value: Any, scope: Mapping[str, Any]) -> Any:
    """A setting with its templates rendered, through lists, mappings and parts."""
    if isinstance(value, SigningText) and value.late:
        return value
    if isinstance(value, template.Template):
        if secrets := [one for one in template.compile(value).references if one.namespace == "secret"]:
            text = template.render(value, scope, reveal=True)
            return Secret(text, ".".join(secrets[0].path)) if isinstance(text, str) else text
        return template.render(value, scope)
    if isinstance(value, Part):
        return value.filled(scope)
    if isinstance(value, dict):
        return {key: fill(one, scope) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(fill(one, scope) for one in value)
    return value


def reveal(value: Any) -> str:
    """The text of a filled setting, secret or not."""
    return value.reveal() if isinstance(value, Secret) else str(value)
