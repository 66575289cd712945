"""`config.yaml` in its least form: where pages and storage are, and what params and secrets stand for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from engine.core.errors import Finding, Json, Mistake, SpecError, nearest
from engine.core.values import Duration
from engine.spec.read import EXPECTED
from engine.spec.yamlfile import Document, read

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
NAME = "config.yaml"
SECTION = re.compile(r"([A-Za-z_]\w*)\s*:")
QUOTED = re.compile(r"""(["']).+\1""")


class Config(BaseModel):
    """What holds for every page of an installation."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")
    pipelines_dir: Path = Field(Path("pipelines"), description="The folder of the pages.")
    storage: Path = Field(Path("storage"), description="The folder of the storage.")
    database_url: str = Field(
        "",
        repr=False,
        description="The PostgreSQL that the ledger of `storage` is in, best as ${VARIABLE}; else it is a file in it.",
    )
    resume_within: Duration = Field(
        Duration("12h"), description="So long after it was interrupted a run goes on; later ones start anew."
    )
    encryption_key: str = Field("", repr=False, description="The key of the storage, best as ${VARIABLE}.")
    params: dict[str, dict[str, Any]] = Field({}, description="Tool -> param -> value.")
    secrets: dict[str, dict[str, str]] = Field({}, description="Tool -> secret -> value, best as ${VARIABLE}.")
    _notes: list[str] = PrivateAttr([])
    _unset: dict[tuple[str, ...], str] = PrivateAttr({})
    """(section, tool, name) -> the environment variable that is not set, for what was left to the next source."""

    @field_validator("pipelines_dir", "storage", mode="before")
    @classmethod
    def _is_named(cls, place: Any) -> Any:
        if place == "":
            raise Mistake("config", "this is empty", "name a folder; the one that config.yaml lies in is .")
        return place

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, text: str) -> str:
        if text:
            from engine.flow.ledger import parted

            parted(text)
        return text

    def of(self, storage: Path) -> Config:
        """The same for another storage, whose ledger is in itself: `database_url` is of the one named here."""
        same = storage.resolve() == self.storage.resolve()
        return self.model_copy(update={"storage": storage, "database_url": self.database_url if same else ""})

    @property
    def notes(self) -> Sequence[str]:
        """What the file says in vain."""
        return self._notes

    def unset(self, tool: str) -> dict[tuple[str, str], str]:
        """(section, name) -> the variable that a param or secret was to come from, and that is not set."""
        return {(path[0], path[2]): name for path, name in self._unset.items() if path[1:2] == (tool,) and path[2:]}


OPEN = frozenset(Config.model_fields) - {"secrets", "encryption_key", "database_url"}
"""The sections that hold no secret."""


def load(path: Path | None, env: Mapping[str, str]) -> Config:
    """Read config.yaml, relative paths from its folder; without one, everything is as by default. Raises SpecError."""
    place = path or Path(NAME)
    if path is None and not place.exists():
        return Config.model_validate({})
    try:
        document = read(place)
    except SpecError as error:
        raise _told(place, error.findings) from None
    problems: list[Finding] = []
    unset: dict[tuple[str, ...], str] = {}
    filled = _filled(document.plain() or {}, (), document, env, problems, unset)
    try:
        config = Config.model_validate(filled)
    except ValidationError as error:
        problems += [_finding(document, one) for one in error.errors()]
    if problems:
        raise _told(place, problems)
    config._unset.update(unset)
    home = place.parent
    if "pipelines_dir" in config.model_fields_set and not (home / config.pipelines_dir).is_dir():
        text = (
            f"{place} says pipelines_dir: {config.pipelines_dir}, which is no folder; the pages of the engine are taken"
        )
        config._notes.append(text)
    return config.model_copy(update={"pipelines_dir": home / config.pipelines_dir, "storage": home / config.storage})


def _told(place: Path, problems: Sequence[Finding]) -> SpecError:
    """The error, without what might be a secret: only lines of sections that hold none are shown as they stand."""
    lines = place.read_text("utf-8-sig", "replace").split("\n") if place.is_file() else []
    shown = []
    for finding in problems:
        above = [found[1] for line in lines[: finding.mark.line] if (found := SECTION.match(line))]
        if above and above[-1] in OPEN and "secret" not in finding.source:
            shown.append(finding)
            continue
        key, colon, _ = finding.source.partition(":")
        if finding.code == "yaml":  # it may quote the value
            message, fix = (QUOTED.sub("…", text) for text in (finding.message, finding.fix))
            finding = replace(finding, message=message, fix=fix)
        shown.append(replace(finding, source=f"{key}: …" if colon else "…" if finding.source else ""))
    return SpecError(f"{place} has mistakes", findings=tuple(shown))


def _filled(
    value: Json,
    path: tuple[str | int, ...],
    document: Document,
    env: Mapping[str, str],
    problems: list[Finding],
    left: dict[tuple[str, ...], str],
) -> Json:
    """Every `${VAR}` from the environment; one that is not set leaves null, so that the next source is asked."""
    if isinstance(value, dict):
        return {
            key: one
            for key, old in value.items()
            if (one := _filled(old, (*path, key), document, env, problems, left)) is not None
        }
    if isinstance(value, list):
        return [_filled(one, (*path, at), document, env, problems, left) for at, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    unset = [name for name in VARIABLE.findall(value) if not env.get(name)]
    if unset and path[:1] not in (("params",), ("secrets",)):
        problems.append(
            document.finding(path, "config", f"the environment variable {unset[0]} is not set", f"set {unset[0]}")
        )
    if unset:
        left[tuple(map(str, path))] = unset[0]
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
    form = EXPECTED.get(error["type"])
    return document.finding(error["loc"], "config", f"{form} is expected" if form else str(error["msg"]).lower())
