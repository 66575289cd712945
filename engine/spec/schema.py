"""The shape of a page as a JSON Schema, for editors: made of the models and parts, so that it never lags behind.

Values of different JSON types stand in one schema side by side (`type: [string, object]`) and a variant is a mapping
with one key, so that an editor reports a mistake in the branch in which it was made.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from engine.core.decoding import Chain
from engine.core.errors import Json, Mistake
from engine.core.kinds import NOUNS, Decoder, Part
from engine.core.registry import Registry
from engine.core.template import Template
from engine.core.values import Secret, Spelled
from engine.spec.answers import Decode, Response
from engine.spec.collect import Endpoint
from engine.spec.model import Column, Pipeline
from engine.spec.prose import prose, sample, summary

IGNORED: dict[str, Json] = {"^x-": {}}
"""Keys that start with `x-` are for the author alone."""
TEMPLATE = r"\$\{"
TYPES: Mapping[Any, Json] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
    Any: {},
}
CONSTRAINTS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum"}


def page_schema(registry: Registry) -> dict[str, Json]:
    """The JSON Schema (2020-12) of a page."""
    made = Schema(registry)
    page = made.model(Pipeline)
    style = {
        **made.defs["Endpoint"],
        "type": "object",
        "description": "Words that endpoints share; their own stand above these.",
    }
    words = dict(page["properties"])
    words["defaults"] = {
        "$ref": "#/$defs/Style",
        "description": "Merged into every endpoint: mappings merge, the rest replaces.",
    }
    words["styles"] = _map({"$ref": "#/$defs/Style"}) | {
        "description": "Like defaults, for the endpoints that name one with use."
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A page of the engine: one vendor, whole",
        **{key: value for key, value in page.items() if key != "properties"},
        "properties": words,
        "$defs": dict(sorted({**made.defs, "Style": style}.items())),
    }


@dataclass
class Schema:
    """A schema on its way: the models and kinds that were met so far."""

    registry: Registry
    defs: dict[str, Json] = field(default_factory=dict)

    def model(self, model: type[BaseModel]) -> dict[str, Json]:
        """A mapping with the fields of a model."""
        words = {info.alias or name: self.field(info) for name, info in model.model_fields.items()}
        required = [info.alias or name for name, info in model.model_fields.items() if info.is_required()]
        if model is Column:
            required = []  # path or sql
        if model is Endpoint:
            words["use"] = {
                "type": ["string", "array"],
                "items": {"type": "string"},
                "description": "The style whose words it takes over; of several each stands above those before it.",
            }
            words["responses"] = _united([words["responses"], self.prepend()]) | {
                "description": words["responses"]["description"]
            }
        shape = {
            "type": ["string", "object"] if _has_short(model) else "object",
            "description": summary(model),
            "properties": words,
            "required": required,
            "patternProperties": IGNORED,
            "additionalProperties": False,
        }
        if model is Decode:  # the way itself, or what chooses it
            chain = {key: value for key, value in self.plain(Chain).items() if key != "maxProperties"}
            shape |= chain | {"properties": {**words, **chain["properties"]}}
        return {key: value for key, value in shape.items() if value != []}

    def prepend(self) -> dict[str, Json]:
        """Response rules that stand in front of those of a style."""
        rules = {"type": "array", "items": self.ref(Response), "description": "Stand in front of the style's own."}
        return {
            "type": "object",
            "properties": {"prepend": rules},
            "required": ["prepend"],
            "additionalProperties": False,
        }

    def field(self, info: FieldInfo) -> dict[str, Json]:
        """What may be written at a field; null only where it means something."""
        shape = self.of(info.annotation, info.metadata, may_be_null=info.default is not None)
        default = info.get_default(call_default_factory=True) if not info.is_required() else None
        default = None if isinstance(default, BaseModel) else default  # its own fields tell theirs
        default = str(default) if isinstance(default, Chain) else default
        said = {"description": info.description, "default": default if default not in (None, "", [], {}) else None}
        return shape | {key: value for key, value in said.items() if value is not None}

    def of(self, kind: Any, metadata: Sequence[Any] = (), *, may_be_null: bool = False) -> dict[str, Json]:
        """The schema of a type with what Annotated says of it."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is typing.Annotated:
            said = [one for it in arguments[1:] for one in (it.metadata if isinstance(it, FieldInfo) else [it])]
            return self.of(arguments[0], [*said, *metadata], may_be_null=may_be_null)
        for one in metadata:
            if isinstance(one, BeforeValidator):
                return _narrowed(self.read_before(one, kind, metadata), metadata)
        if origin in (typing.Union, types.UnionType):
            wanted = [one for one in arguments if (one is not type(None) or may_be_null) and not _hidden(one)]
            return self.union(wanted)
        if origin is typing.Literal:
            return {"enum": list(arguments)}
        if origin is list:
            return _narrowed({"type": "array", "items": self.of(arguments[0])}, metadata)
        if origin is dict:
            return _narrowed(_map(self.of(arguments[1], may_be_null=True), arguments[0]), metadata)
        return _narrowed(self.plain(kind), metadata)

    def plain(self, kind: Any) -> dict[str, Json]:
        """The schema of a class."""
        if kind in TYPES:
            return dict(TYPES[kind])
        if issubclass(kind, Part):
            return self.kind(kind.kind)
        if issubclass(kind, BaseModel):
            return self.ref(kind)
        if issubclass(kind, Template):
            return {"type": "string"}
        if kind is Chain:
            link, words = self.kind(Decoder.kind), "|".join(self.registry.words(Decoder.kind))
            text = {"type": "string", "pattern": rf"^({words})(\+({words}))*$", "patternErrorMessage": "not gzip+csv"}
            return _united([text, self.inline(link)["else"], {"type": "array", "items": link}])
        assert issubclass(kind, Spelled), kind
        return {
            "type": "string",
            **({"pattern": f"^({kind.pattern})$", "patternErrorMessage": f"not {kind.says}"} if kind.pattern else {}),
        }

    def read_before(self, validator: BeforeValidator, kind: Any, metadata: Sequence[Any]) -> dict[str, Json]:
        """What may stand where a function reads the value: what it tells; else one of a list, a scalar for a text."""
        if (told := validator.json_schema_input_type) is not PydanticUndefined:
            return self.of(told, may_be_null=True)
        if kind in (str, Template):
            return self.of(str | float | bool)
        shape = self.of(kind, [one for one in metadata if one is not validator])
        if shape.get("type") == "array" and "items" in shape:
            return _united([self.inline(shape["items"]), shape])
        return _united([{"type": "string"}, self.inline(shape)]) if "$ref" in shape else shape

    def union(self, kinds: Sequence[Any]) -> dict[str, Json]:
        """Either of several types."""
        spelled = [one for one in kinds if isinstance(one, type) and issubclass(one, Spelled) and one.pattern]
        if Template in kinds and len(spelled) == 1:
            shape = self.plain(spelled[0])
            return shape | {"pattern": f"{shape['pattern']}|{TEMPLATE}"}
        shapes = [self.of(one) for one in kinds]
        return shapes[0] if len(shapes) == 1 else _united([self.inline(one) for one in shapes])

    def ref(self, model: type[BaseModel]) -> dict[str, Json]:
        """A model by its name, described once."""
        if model.__name__ not in self.defs:
            self.defs[model.__name__] = {}
            self.defs[model.__name__] = self.model(model)
        return {"$ref": f"#/$defs/{model.__name__}"}

    def inline(self, shape: dict[str, Json]) -> dict[str, Json]:
        """What a reference stands for, to be put beside other types."""
        return dict(self.defs[shape["$ref"].rsplit("/", 1)[1]]) if "$ref" in shape else shape

    def kind(self, kind: str) -> dict[str, Json]:
        """One word of a kind, chosen by its key."""
        if kind not in self.defs:
            self.defs[kind] = {}
            parts = {word: part for one, word, part in self.registry.parts() if one == kind}
            for word, part in parts.items():
                self.defs[f"{kind}.{word}"] = self.part(part)
            variants = {
                "type": "object",
                "properties": {word: {"$ref": f"#/$defs/{kind}.{word}"} for word in parts},
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
            }
            bare = [word for word, part in parts.items() if _is_bare(part, word)]
            told = f"One {NOUNS[kind]}, chosen by its key."
            if bare:
                self.defs[kind] = {
                    "description": told,
                    "if": {"type": "string"},
                    "then": {"enum": bare},
                    "else": variants,
                }
            else:
                self.defs[kind] = {"description": told, **variants}
        return {"$ref": f"#/$defs/{kind}"}

    def part(self, part: type[Part]) -> dict[str, Json]:
        """The settings of a part, or the one value that they may be written as."""
        full = self.model(part)
        text, example = prose(part), sample(part)
        told = {"description": text, "markdownDescription": f"{text}\n\n```yaml\n{example}\n```" if example else text}
        if part.short is None:
            return full | told
        name = next(info.alias or name for name, info in part.model_fields.items() if part.short in (name, info.alias))
        short = {key: value for key, value in full["properties"][name].items() if key not in ("description", "default")}
        if short.get("type") != "object":
            return _united([short, full]) | told
        chosen = {"anyOf": [{"required": [word]} for word in full["properties"]]}
        return {"type": "object", "if": chosen, "then": full, "else": short, **told}


# --- pieces


def _map(values: Json, keys: Any = str) -> dict[str, Json]:
    """Names -> values."""
    shape = {"type": "object", "additionalProperties": values, "patternProperties": IGNORED}
    for one in (
        keys,
        *(getattr(getattr(check, "func", None), "__self__", None) for check in typing.get_args(keys)[1:]),
    ):
        if isinstance(one, type) and issubclass(one, Spelled) and one.pattern:
            shape["propertyNames"] = {"pattern": f"^(x-.*|{one.pattern})$", "patternErrorMessage": f"not {one.says}"}
    return shape


def _united(shapes: Sequence[dict[str, Json]]) -> dict[str, Json]:
    """Schemas of different JSON types side by side: each keyword holds for its own type only."""
    united: dict[str, Json] = {}
    kinds: list[str] = []
    for shape in shapes:
        named = shape.get("type", ["string", "number"] if "enum" in shape else [])
        kinds += [one for one in ([named] if isinstance(named, str) else named) if one not in kinds]
        for key, value in shape.items():
            if key not in united:
                united[key] = value
    if any(not shape for shape in shapes):
        return {}
    if "integer" in kinds and "number" in kinds:
        kinds.remove("integer")
    return united | {"type": kinds[0] if len(kinds) == 1 else kinds}


def _narrowed(shape: dict[str, Json], metadata: Sequence[Any]) -> dict[str, Json]:
    """A schema with the limits that Field gives: the least number, the fewest entries, a pattern."""
    found: dict[str, Json] = {}
    for one in metadata:
        for name, word in CONSTRAINTS.items():
            if (limit := getattr(one, name, None)) is not None:
                found[word] = limit
        if (fewest := getattr(one, "min_length", None)) is not None:
            words = {"array": "minItems", "object": "minProperties"}
            found |= {words[kind]: fewest for kind in _kinds(shape) if kind in words}
        if pattern := getattr(one, "pattern", None):
            found["pattern"] = pattern
    return shape | found


def _kinds(shape: Mapping[str, Json]) -> Sequence[str]:
    kinds = shape.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def _hidden(kind: Any) -> bool:
    """Whether a type is for the engine alone, as a secret that has been filled in."""
    return kind is Secret or typing.get_args(kind)[:1] == (Secret,)


def _has_short(model: type[BaseModel]) -> bool:
    return "_short" in model.__pydantic_decorators__.model_validators


def _is_bare(part: type[Part], word: str) -> bool:
    """Whether the word may stand alone."""
    try:
        part.of({}, None, word)
    except (Mistake, ValueError):
        return False
    return True


def short_of(model: type[BaseModel]) -> str | None:
    """The field that a bare value stands for."""
    if issubclass(model, Part):
        return model.short
    return next(iter(model._short("")), None) if _has_short(model) else None  # type: ignore[attr-defined]  # it has one


def models(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """The models inside a model, each with its path, each once; parts left out."""
    seen: set[type[BaseModel]] = set()

    def walk(here: type[BaseModel], at: str) -> Iterator[tuple[str, type[BaseModel]]]:
        if here in seen:
            return
        seen.add(here)
        yield at, here
        for name, info in here.model_fields.items():
            word = f"{at}.{info.alias or name}" if at else info.alias or name
            for inner, below in _inside(info.annotation, word):
                if not issubclass(inner, Part):
                    yield from walk(inner, below)

    yield from walk(model, path)


def _inside(kind: Any, path: str) -> Iterator[tuple[type[BaseModel], str]]:
    """The models that a type is made of, with `.NAME` for those of a mapping."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind, path
    for one in typing.get_args(kind):
        yield from _inside(one, f"{path}.NAME" if typing.get_origin(kind) is dict else path)
