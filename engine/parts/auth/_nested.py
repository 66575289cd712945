"""Values of any shape with templates inside, such as the body of a sign-in."""

from __future__ import annotations

from typing import Any

from engine.core.template import Template
from engine.core.values import Secret


def nested(kind: type[Template], value: Any) -> Any:
    """The value with each text inside it read as this kind of template."""
    if isinstance(value, dict):
        return {str(key): nested(kind, one) for key, one in value.items()}
    if isinstance(value, list):
        return [nested(kind, one) for one in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if isinstance(value, int) else float(value)  # JSON knows no source text
    return kind.read(value) if isinstance(value, str) else value


def revealed(value: Any) -> Any:
    """A filled value with its secrets as texts."""
    if isinstance(value, dict):
        return {key: revealed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [revealed(one) for one in value]
    return value.reveal() if isinstance(value, Secret) else value
