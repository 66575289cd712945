"""What a page leaves to its params: which of several parts is used, and paths that whoever runs the page may set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from engine.core.errors import Json, Mistake, nearest
from engine.core.kinds import Part
from engine.core.select import Jmes
from engine.core.template import Template
from engine.core.values import param_of

T = TypeVar("T")
SCALARS = frozenset({str, bool, int, float})


class ParamTemplate(Template):
    """One whole `${param.name}`."""

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake when the text is anything else."""
        if param_of(text) is None:
            raise Mistake("value", f'"{text}" is not the name of a param', 'write "${param.NAME}"')


class Choice(Part):
    """Several parts of a kind, of which the plan takes one; the walk never meets the choice itself."""

    by: ParamTemplate = Field(description='The param whose value names the option: "${param.NAME}".')
    options: Mapping[str, Part]


@dataclass
class Settling:
    """Puts the values of params where a page leaves something to them.

    A param that is missing here leaves its place as it is; one that is null stands for what nobody wrote.
    """

    params: Mapping[str, Json]
    choose: bool = True
    """Whether only the chosen options stay, or all of them."""
    problems: list[tuple[str, Mistake]] = field(default_factory=list)
    """Param -> what is wrong with its value."""

    def of(self, value: Any, info: FieldInfo | None = None) -> Any:
        """The value, settled, of the type it had; `info` is the field it stands in."""
        if value is None or type(value) in SCALARS:  # most values are
            return value
        found = self._chosen(value) if isinstance(value, Choice) else value
        if isinstance(found, Jmes):
            return self._path(found, info)
        if isinstance(found, BaseModel):
            fields = type(found).model_fields
            changes = {name: self.of(getattr(found, name), one) for name, one in fields.items()}
            changes = {name: one for name, one in changes.items() if one is not getattr(found, name)}
            return found.model_copy(update=changes) if changes else found
        if isinstance(found, dict):
            settled = {key: self.of(one) for key, one in found.items()}
            return settled if any(settled[key] is not one for key, one in found.items()) else found
        if isinstance(found, list):
            every = [self.of(one) for one in found]
            return every if any(new is not one for new, one in zip(every, found, strict=True)) else found
        return found

    def _chosen(self, choice: Choice) -> Any:
        name = param_of(choice.by) or ""
        word = self.params.get(name)
        if name not in self.params:
            return choice
        if word not in choice.options:
            known = list(choice.options)
            text = f"is {word!r}, which is no option here{nearest(str(word), known)}"
            return self._wrong(name, text, f"the options are: {', '.join(known)}", choice)
        chosen = choice.options[str(word)]
        if isinstance(chosen, Choice):
            chosen = self._chosen(chosen)
        return chosen if self.choose else choice

    def _path(self, path: Jmes, info: FieldInfo | None) -> Any:
        name = param_of(path)
        if name is None or name not in self.params:
            return path
        value = self.params[name]
        if value is None:
            if info is None or info.is_required():
                return self._wrong(name, "is not set, and a path is needed", "set it, or give it a default", path)
            return info.get_default()
        try:
            return path.filled(str(value))
        except Mistake as mistake:
            return self._wrong(name, f"stands for a path: {mistake}", mistake.fix, path)

    def _wrong(self, name: str, text: str, fix: str, stays: Any) -> Any:
        self.problems.append((name, Mistake("param", f'param "{name}" {text}', fix)))
        return stays


def inside(value: Any, kind: type[T]) -> Iterator[T]:
    """Every value of a kind inside a model, a list or a mapping."""
    if isinstance(value, kind):
        yield value
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ():
        yield from inside(one, kind)
