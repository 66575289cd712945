"""What the fields of a page are made of: texts by their source, templates, and what may be written instead of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from engine.core.errors import Mistake
from engine.core.template import Template
from engine.core.values import Duration, Rate, Spelled, source_text

ColumnType = Literal["string", "integer", "float", "boolean", "datetime", "date", "list", "json"]
ParamType = Literal["string", "integer", "number", "boolean", "list", "duration", "rate", "path"]


class Model(BaseModel):
    """A mapping of the page: unknown words are refused."""

    # What a page does not use is never built, which saves a tenth of the time that lint takes.
    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _or_template(kind: type[Spelled]) -> BeforeValidator:
    """Reads a text as this kind, or as a template where it has a `${`."""

    def read(value: Any) -> Spelled:
        return Template.read(value) if isinstance(value, str) and "${" in value else kind.read(value)

    return BeforeValidator(read, json_schema_input_type=kind | Template)


def _as_template(value: Any) -> Any:
    value = source_text(value)
    return Template.read(value) if isinstance(value, str) else value


RateOrTemplate = Annotated[Spelled, _or_template(Rate)]
DurationOrTemplate = Annotated[Spelled, _or_template(Duration)]


def _whole_number(value: Any) -> Any:
    if isinstance(value, str) and "${" in value:
        return Template.read(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Mistake("value", f"{value!r} is not a whole number above 0")
    return int(value)


Written = Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=r"\$\{")]
Count = Annotated[int | Template, BeforeValidator(_whole_number, json_schema_input_type=Written)]
TextTemplate = Annotated[Template, BeforeValidator(_as_template)]


def _sent(value: Any) -> Any:
    """A query or body value: a template, a list of them, or nested mappings of them; null stays null."""
    if isinstance(value, dict):
        return {str(key): _sent(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_sent(one) for one in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value) if isinstance(value, int) else float(value)  # JSON knows no source text
    return Template.read(value) if isinstance(value, str) else value


Body = Annotated[Any, BeforeValidator(_sent, json_schema_input_type=Any)]


class Joined(Model):
    """Several values in one field, null left out; without any the field is left out."""

    join: str = Field(description="What stands between them.")
    values: Body = Field(description="The values, also one `${…}` that is a list.")


def _query_value(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) != {"join", "values"}:
            fix = 'write one value, a list to repeat the field, or { join: ",", values: [a, b] }'
            raise Mistake("value", "a mapping cannot stand here", fix)
        values = value["values"]
        listed = values if isinstance(values, list) else [values]
        return Joined(join=value["join"], values=[source_text(one) for one in listed])
    return _sent([source_text(one) for one in value] if isinstance(value, list) else source_text(value))


Value = str | float | bool | list[Any] | None | Joined
Sent = Annotated[Any, BeforeValidator(_query_value, json_schema_input_type=Value)]


class Limit(Model):
    """A rate limit with its burst.

    Misbehaving: A vendor that answers 429 or 503 all the same is waited for as long as its Retry-After says, by
    all requests, and asked again.

    Example:
        connection: { rate_limit: [10/s, { rate: 600/m, burst: 20 }] }
    """

    rate: RateOrTemplate = Field(description="Requests in a time: `10/s`.")
    burst: int = Field(1, ge=1, description="How many may go at once after a pause.")


def _limits(value: Any) -> Any:
    values = value if isinstance(value, list) else [value]
    return [one if isinstance(one, dict) else {"rate": one} for one in values]


Limits = Annotated[list[Limit], BeforeValidator(_limits, json_schema_input_type=str | Limit | list[str | Limit])]
