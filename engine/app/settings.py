"""What a page's params and secrets stand for: command line, config.yaml, environment, file, default, in this order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core import template
from engine.core.errors import ConfigError, Finding, Json, Mistake, SpecError, nearest
from engine.core.values import Secret
from engine.flow.plan import Settings
from engine.spec.model import Param, SecretSource
from engine.spec.params import typed
from engine.spec.read import Source


@dataclass(frozen=True)
class Found:
    """What was found for the params and secrets of a page."""

    settings: Settings
    """What is missing or wrong is null here."""
    origins: Mapping[str, str]
    """Param -> where its value is from."""
    problems: Sequence[Finding]


def settle(
    source: Source,
    *,
    given: Mapping[str, str],
    config: Mapping[str, Json],
    secrets: Mapping[str, str],
    env: Mapping[str, str],
) -> Settings:
    """Every param typed and every secret found; raises one error that names all that is missing or wrong."""
    found = look(source, given=given, config=config, secrets=secrets, env=env)
    if found.problems:
        raise SpecError("params or secrets are missing or wrong", findings=tuple(found.problems))
    return found.settings


def look(
    source: Source,
    *,
    given: Mapping[str, str],
    config: Mapping[str, Json],
    secrets: Mapping[str, str],
    env: Mapping[str, str],
) -> Found:
    """What is there, and what is missing or wrong. Raises ConfigError for a param that the page does not have."""
    problems: list[Finding] = []
    params = _params(source, given, config, env, problems)
    kept = _secrets(source, secrets, env, problems)
    declared = source.pipeline.params
    origins = {name: _first(name, param, given, config, env)[1] for name, param in declared.items()}
    return Found(Settings({**dict.fromkeys(declared), **params}, kept), origins, problems)


def _params(
    source: Source,
    given: Mapping[str, str],
    config: Mapping[str, Json],
    env: Mapping[str, str],
    problems: list[Finding],
) -> dict[str, Json]:
    declared = source.pipeline.params
    _known("param", (*given, *config), declared)
    raw = {name: _first(name, param, given, config, env) for name, param in declared.items()}
    found: dict[str, Json] = {}
    for name in _in_order(declared, raw):
        param = declared[name]
        value, origin = raw[name]
        if any(above not in found for above in _named(value, origin) if above in declared):
            continue  # what it is made of is told already
        try:
            if isinstance(value, str) and origin == "default" and "${" in value:
                value = template.render(value, {"param": found})
            found[name] = None if value is None else typed(param, value)
        except Mistake as mistake:
            text = f'param "{name}" (from {origin}): {mistake}'
            problems.append(source.finding(("params", name), Mistake("param", text, mistake.fix)))
            continue
        if value is None and not param.optional:
            del found[name]
            ways = [f"-p {name}=…", f"params: {{ {source.pipeline.tool}: {{ {name}: … }} }} in config.yaml"]
            ways += [f"the environment variable {param.env}"] if param.env else []
            text = f'param "{name}" is not set{f": {param.doc}" if param.doc else ""}'
            problems.append(
                source.finding(("params", name), Mistake("missing-param", text, "set it with " + ", or ".join(ways)))
            )
    return found


def _first(
    name: str, param: Param, given: Mapping[str, str], config: Mapping[str, Json], env: Mapping[str, str]
) -> tuple[Any, str]:
    if name in given:
        return given[name], "-p"
    if config.get(name) is not None:
        return config[name], "config.yaml"
    if param.env and env.get(param.env):
        return env[param.env], param.env
    return param.default, "default"


def _named(value: Any, origin: str) -> list[str]:
    """The params that a default names."""
    if not isinstance(value, str) or origin != "default":
        return []
    return [reference.path[0] for reference in template.compile(value).references if reference.path]


def _known(what: str, names: Iterable[str], declared: Mapping[str, object]) -> None:
    for name in names:
        if name not in declared:
            raise ConfigError(
                f'the page has no {what} "{name}"{nearest(name, list(declared))}',
                f"it has {', '.join(declared) or 'none'}",
            )


def _in_order(declared: Mapping[str, Param], raw: Mapping[str, tuple[Any, str]]) -> list[str]:
    """Params so that each stands behind those its default names."""
    order: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        value, origin = raw[name]
        if name in order or name in above:
            return
        for below in _named(value, origin):
            if below in declared:
                visit(below, (*above, name))
        order.append(name)

    for name in declared:
        visit(name, ())
    return order


# --- secrets


def _secrets(
    source: Source, given: Mapping[str, str], env: Mapping[str, str], problems: list[Finding]
) -> dict[str, Secret]:
    found = {}
    _known("secret", given, source.pipeline.secrets)
    for name, wanted in source.pipeline.secrets.items():
        try:
            text = _secret(source, name, wanted, given, env)
        except Mistake as mistake:
            problems.append(source.finding(("secrets", name), mistake))
            continue
        if text is not None:
            found[name] = Secret(text, name)
        elif not wanted.optional:
            ways = [f"the environment variable {wanted.env}"] if wanted.env else []
            ways += [f"the file {wanted.file}"] if wanted.file else []
            ways.append(f"secrets: {{ {source.pipeline.tool}: {{ {name}: ${{VARIABLE}} }} }} in config.yaml")
            about = f": {wanted.doc}" if wanted.doc else ""
            fix = "set it with " + ", or ".join(ways) + "; to try the page without credentials, add --simulate"
            problems.append(
                source.finding(("secrets", name), Mistake("missing-secret", f'secret "{name}" is not set{about}', fix))
            )
    return found


def _secret(
    source: Source, name: str, wanted: SecretSource, given: Mapping[str, str], env: Mapping[str, str]
) -> str | None:
    text = given.get(name) or (env.get(wanted.env) if wanted.env else None)
    if not text and wanted.file:
        path = source.folder / Path(wanted.file).expanduser()
        text = _read(path, name) if path.exists() else None
    if text and wanted.or_path and not text.lstrip().startswith("{") and Path(text).expanduser().is_file():
        text = _read(Path(text).expanduser(), name)
    return text or None


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake("secret", f'secret "{name}": the file it names cannot be read: {type(error).__name__}') from None
