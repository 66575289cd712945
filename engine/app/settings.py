"""What a page's params and secrets stand for: command line, config.yaml, environment, file, default, in this order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core import template
from engine.core.credential import check_address
from engine.core.errors import ConfigError, Finding, Json, Mistake, SpecError, nearest
from engine.core.settle import Choice, Settling, inside
from engine.core.template import Template
from engine.core.values import Secret
from engine.flow.plan import Settings
from engine.spec.model import Param, SecretSource
from engine.spec.params import typed
from engine.spec.read import Source

NONE: Mapping[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Found:
    """What was found for the params and secrets of a page."""

    settings: Settings
    """What is missing or wrong is null here."""
    origins: Mapping[str, str]
    """Param -> where its value is from."""
    problems: Sequence[Finding]
    spared: frozenset[str] = frozenset()
    """Secrets that only options name which are not chosen, or of which nobody knows yet whether they are."""


def settle(
    source: Source,
    *,
    given: Mapping[str, str],
    config: Mapping[str, Json],
    secrets: Mapping[str, str],
    env: Mapping[str, str],
    unset: Mapping[tuple[str, str], str] = NONE,
) -> Settings:
    """Every param typed and every secret found; raises one error that names all that is missing or wrong.

    `unset` are the variables that config.yaml names and that are not set: (section, name) -> variable.
    """
    found = look(source, given=given, config=config, secrets=secrets, env=env, unset=unset)
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
    unset: Mapping[tuple[str, str], str] = NONE,
) -> Found:
    """What is there, and what is missing or wrong. Raises ConfigError for a param that the page does not have."""
    problems: list[Finding] = []
    params = _params(source, given, config, env, problems, unset)
    settling = Settling(params)
    chosen = settling.of(source.pipeline)
    problems += [source.finding(("params", name), mistake) for name, mistake in settling.problems]
    undecided = _named_secrets(list(inside(chosen, Choice)))
    spared = frozenset(_named_secrets(source.pipeline) - _named_secrets(chosen) | undecided)
    kept = _secrets(source, secrets, env, problems, spared, unset)
    declared = source.pipeline.params
    origins = {name: _first(name, param, given, config, env)[1] for name, param in declared.items()}
    return Found(Settings({**dict.fromkeys(declared), **params}, kept), origins, problems, spared)


def _params(
    source: Source,
    given: Mapping[str, str],
    config: Mapping[str, Json],
    env: Mapping[str, str],
    problems: list[Finding],
    unset: Mapping[tuple[str, str], str],
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
            text = f'param "{name}" is not set{_about(param.doc, unset.get(("params", name)))}'
            problems.append(
                source.finding(("params", name), Mistake("missing-param", text, "set it with " + ", or ".join(ways)))
            )
    problems += _wrong_addresses(source, found, raw)
    return found


def _wrong_addresses(source: Source, found: dict[str, Json], raw: Mapping[str, tuple[Any, str]]) -> Iterator[Finding]:
    """Base addresses that cannot be asked; a param that makes one so is forgotten: it may hold a password."""
    own = [(("endpoints", name, "base_url"), one.base_url) for name, one in source.pipeline.endpoints.items()]
    for path, text in [(("connection", "base_url"), source.pipeline.connection.base_url), *own]:
        names = [one.path[0] for one in template.compile(text).references if one.path] if text else []
        if text is None or any(found.get(name) is None for name in names):
            continue
        try:
            check_address(str(template.render(text, {"param": found})))
        except Mistake as mistake:
            told = mistake
            if names:
                found[names[0]] = None
                path = ("params", names[0])
                about = f'param "{names[0]}" (from {raw[names[0]][1]}): {mistake}'
                told = Mistake(mistake.code, about, mistake.fix)
            yield source.finding(path, told)


def _about(doc: str, variable: str | None) -> str:
    """What a missing value is for, and why config.yaml did not bring it."""
    said = f": {doc}" if doc else ""
    return said + (f" (config.yaml takes it from {variable}, which is not set)" if variable else "")


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
                f"it has {', '.join(declared)}" if declared else f"leave it out: the page declares no {what}s",
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
    source: Source,
    given: Mapping[str, str],
    env: Mapping[str, str],
    problems: list[Finding],
    spared: frozenset[str],
    unset: Mapping[tuple[str, str], str],
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
        elif not wanted.optional and name not in spared:
            ways = [f"the environment variable {wanted.env}"] if wanted.env else []
            ways += [f"the file {wanted.file}"] if wanted.file else []
            ways.append(f"secrets: {{ {source.pipeline.tool}: {{ {name}: ${{VARIABLE}} }} }} in config.yaml")
            about = _about(wanted.doc, unset.get(("secrets", name)))
            fix = "set it with " + ", or ".join(ways) + "; to try the page without credentials, add --simulate"
            problems.append(
                source.finding(("secrets", name), Mistake("missing-secret", f'secret "{name}" is not set{about}', fix))
            )
    return found


def _named_secrets(value: Any) -> set[str]:
    references = [one for text in inside(value, Template) for one in template.compile(text).references]
    return {one.path[0] for one in references if one.namespace == "secret" and one.path}


def _is_file(text: str) -> bool:
    """Whether a text names a file; a key may be longer than any name."""
    try:
        return Path(text).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def _secret(
    source: Source, name: str, wanted: SecretSource, given: Mapping[str, str], env: Mapping[str, str]
) -> str | None:
    text = given.get(name) or (env.get(wanted.env) if wanted.env else None)
    if not text and wanted.file:
        path = source.folder / Path(wanted.file).expanduser()
        text = _read(path, name) if path.exists() else None
    if text and wanted.or_path and not text.lstrip().startswith("{") and _is_file(text):
        text = _read(Path(text).expanduser(), name)
    return text or None


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake("secret", f'secret "{name}": the file it names cannot be read: {type(error).__name__}') from None
