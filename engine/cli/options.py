"""Options that several commands share, and the engine that they ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from engine.app import Engine

Command = Callable[..., Any]
SIMULATED_STORAGE = Path("storage-simulated")


def _pairs(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f'"{value}" has no name in front of "="; write {name or "name"}=value')
        pairs[name.strip()] = text
    return pairs


def _noted(ctx: click.Context, option: click.Parameter, value: bool) -> bool:
    ctx.meta["engine.json"] = value
    return value


def places(command: Command) -> Command:
    """`--config` and `--storage`."""
    config = click.option(
        "--config", type=click.Path(path_type=Path), help="The configuration file.  [default: ./config.yaml]"
    )
    storage = click.option(
        "--storage", type=click.Path(path_type=Path), help="The storage folder.  [default: as configured, or ./storage]"
    )
    return config(storage(command))


params = click.option(
    "-p", "--param", "params", multiple=True, callback=_pairs, metavar="NAME=VALUE", help="Set a param of the page."
)
only = click.option(
    "--only", multiple=True, metavar="NAME", help="Only this endpoint, with those above it. Repeatable."
)
as_json = click.option("--json", "as_json", is_flag=True, callback=_noted, help="Print JSON, also of an error.")


def open_engine(config: Path | None, storage: Path | None, **more: Any) -> Engine:
    """The engine that a command asks for; defects from here on are recorded in its storage."""
    from engine.app import Engine

    engine = Engine.from_config(config, storage=storage, **more)
    click.get_current_context().meta["engine.storage"] = engine.config.storage
    for doubt in engine.doubts():
        click.echo(f"warning: {doubt}", err=True)
    return engine
