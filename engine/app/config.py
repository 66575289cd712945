"""`config.yaml` in its least form: where pages and storage are, and what params and secrets stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.core.errors import Finding, Json, Mistake, SpecError, nearest
from engine.spec.yamlfile import Document, read

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
NAME = "config.yaml"


class Config(BaseModel):
    """What holds for every page of an installation."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    pipelines_dir: Path = Field(Path("pipelines"), description="The folder of the pages.")
    storage: Path = Field(Path("storage"), description="The folder of the storage.")
    params: dict[str, dict[str, Any]] = Field({}, description="Tool -> param -> value.")
    secrets: dict[str, dict[str, str]] = Field({}, description="Tool -> secret -> value, best as ${VARIABLE}.")


def load(path: Path | None, env: Mapping[str, str]) -> Config:
    """Read config.yaml, relative paths from its folder; without one, everything is as by default. Raises SpecError."""
    place = path or Path(NAME)
    if path is None and not place.exists():
        return Config.model_validate({})
    document = read(place)
    problems: list[Finding] = []
    filled = _filled(document.plain() or {}, (), document, env, problems)
    try:
        config = Config.model_validate(filled)
    except ValidationError as error:
        problems += [_finding(document, one) for one in error.errors()]
    if problems:
        raise SpecError(f"{place} has mistakes", findings=tuple(problems))
    home = place.parent
    return config.model_copy(update={"pipelines_dir": home / config.pipelines_dir, "storage": home / config.storage})


def _filled(
    value: Json, path: tuple[str | int, ...], document: Document, env: Mapping[str, str], problems: list[Finding]
) -> Json:
    """Every `${VAR}` from the environment; one that is not set leaves null, so that the next source is asked."""
    if isinstance(value, dict):
        return {
            key: one
            for key, old in value.items()
            if (one := _filled(old, (*path, key), document, env, problems)) is not None
        }
    if isinstance(value, list):
        return [_filled(one, (*path, at), document, env, problems) for at, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    unset = [name for name in VARIABLE.findall(value) if not env.get(name)]
    if unset and path[:1] not in (("params",), ("secrets",)):
        problems.append(
            document.finding(path, "config", f"the environment variable {unset[0]} is not set", f"set {unset[0]}")
        )
    return None if unset else VARIABLE.sub(lambda found: env[found.group(1)], value)


def _finding(document: Document, error: Any) -> Finding:
    cause = (error.get("ctx") or {}).get("error")
    if isinstance(cause, Mistake):
        return document.finding(error["loc"], cause.code, str(cause), cause.fix)
    if error["type"] == "extra_forbidden":
        word = str(error["loc"][-1])
        known = list(Config.model_fields)
        return document.finding(
            error["loc"],
            "config",
            f'unknown word "{word}"{nearest(word, known)}',
            f"known here: {', '.join(known)}",
            key=True,
        )
    return document.finding(error["loc"], "config", str(error["msg"]).lower())
