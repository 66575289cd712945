"""A contract for the raw record, as a JSON Schema in a file of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from engine.core.errors import Json, Mistake
from engine.core.kinds import Rule
from engine.core.template import Template

LONGEST = 200
"""How many characters a message has at most."""


class JsonSchema(Rule):
    """The record, as the vendor sent it, meets a JSON Schema (draft 4 to 2020-12, named by its `$schema`).

    Formats such as `date-time` are checked. The schema stands in one file: a `$ref` into another is refused.
    The message says what is wrong and where in the record, never the value.

    Example:
        - json_schema: { file: ../schemas/acme/finding.schema.json }
    """

    short: ClassVar[str | None] = "file"
    file: Template = Field(description="The schema's file, beside the page.")

    def record_check(self, read: Callable[[str], bytes]) -> Callable[[Json], str | None] | None:
        """The compiled contract."""
        import jsonschema_rs

        try:
            # The mask keeps the vendor's values, which may be large or private, out of every message.
            contract = jsonschema_rs.validator_for(
                json.loads(read(self.file)), mask="value", validate_formats=True, offline=True
            )
        except ValueError as error:  # of json and of jsonschema_rs alike
            what = getattr(error, "message", str(error))
            raise Mistake("json-schema", f"{self.file} is no JSON Schema: {what[:LONGEST]}") from None

        def check(record: Json) -> str | None:
            if contract.is_valid(record):
                return None
            first = next(contract.iter_errors(record))
            return f"{_place(first.instance_path)}{first.message}"[:LONGEST]

        return check

    def files(self) -> Sequence[str]:
        """The contract's."""
        return [self.file]

    def suits(self, types: Mapping[str, str]) -> bool:
        """Always."""
        return True


def _place(path: Sequence[str | int]) -> str:
    """`owner.emails[0]: `, or nothing for the record itself."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f"{text.removeprefix('.')}: " if path else ""
