"""`run`, `collect`, `process` and `report`: the walk, or a part of it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.options import SIMULATED_STORAGE, Command, as_json, only, open_engine, params, places

if TYPE_CHECKING:
    from engine.app import Engine

page = click.argument("page", metavar="PAGE|TOOL")
simulate = click.option(
    "--simulate",
    is_flag=True,
    help="Ask a simulated vendor on this machine, with made-up credentials; storage is ./storage-simulated.",
)
fresh = click.option("--fresh", is_flag=True, help="Begin anew, also where a run that was interrupted could go on.")
seed = click.option("--seed", type=int, help="With --simulate: the same seed gives the same data.  [default: 1]")


def _options(command: Command) -> Command:
    for option in reversed((params, simulate, seed, places, as_json)):
        command = option(command)
    return page(command)


@click.command()
@_options
@only
@click.option("--schedule", default="", metavar="NAME", help="Do what this schedule of the page says, now.")
@fresh
@click.option(
    "--replay", default="", metavar="RUN", help="Ask nobody: make tables and reports of what was kept up to this run."
)
@click.option("--due", hidden=True, default="", help="The due time that this run is for: the daemon says it.")
def run(page: str, due: str, schedule: str, fresh: bool, replay: str, **how: Any) -> int:
    """Collect, process and report.

    PAGE is a file; TOOL stands for TOOL.yaml in the folder of the pages. A run that was stopped or killed goes on where
    it was, if it was asked for the same.

    \b
    Example:
      engine run apigee -p organization=acme-prod
      engine run pipelines/apigee.yaml --simulate
      engine run apigee --replay latest
    """
    if replay and (fresh or schedule):
        raise click.UsageError(
            f"--replay asks nobody, so {'--fresh' if fresh else '--schedule'} has no meaning with it"
        )
    return _walk("run", page, schedule=schedule, at=due, fresh=fresh, replay=replay, **how)


@click.command()
@_options
@only
@fresh
def collect(page: str, **how: Any) -> int:
    """Fetch what the page asks for, and keep it.

    \b
    Example:
      engine collect apigee --only proxies
    """
    return _walk("collect", page, **how)


@click.command()
@_options
@click.option(
    "--stage",
    type=click.Choice(["validation", "enrichment", "analytics"]),
    default="analytics",
    show_default=True,
    help="The last stage to run; validation only checks and publishes nothing.",
)
def process(page: str, **how: Any) -> int:
    """Make the tables from what was kept, without a network.

    \b
    Example:
      engine process apigee --stage validation
    """
    return _walk("process", page, **how)


@click.command()
@_options
def report(page: str, **how: Any) -> int:
    """Write the page's reports from the published tables.

    \b
    Example:
      engine report apigee
    """
    return _walk("report", page, **how)


COMMANDS: Sequence[click.Command] = (run, collect, process, report)


def _walk(
    work: str,
    page: str,
    *,
    config: Path | None,
    storage: Path | None,
    simulate: bool,
    seed: int | None,
    as_json: bool,
    **how: Any,
) -> int:
    from engine.cli.progress import watch
    from engine.cli.stop import stopping

    if seed is not None and not simulate:
        raise click.UsageError("--seed needs --simulate")
    storage = storage or (SIMULATED_STORAGE if simulate else None)
    click.get_current_context().meta["engine.goes_on"] = work in ("run", "collect") and not how.get("replay")
    with watch() as sink:
        engine = open_engine(config, storage, emit=sink)
        vendor = simulator(engine, page, 1 if seed is None else seed) if simulate else None
        with stopping(engine.stop):
            result = getattr(engine, work)(page, vendor=vendor, **how)
    return told(result, page, as_json, typed(config, storage), has_params=bool(how["params"]))


def told(result: Any, page: str, as_json: bool, options: str, *, has_params: bool) -> int:
    """Print what a run did; gives its exit code."""
    from engine.cli.result import show
    from engine.cli.text import heard

    with heard():
        if as_json:
            click.echo(json.dumps(result.as_json(), indent=1, ensure_ascii=False))
        else:
            show(result.as_json(), page, options, has_params=has_params)
        sys.stdout.flush()
    return int(result.exit_code)


def typed(config: Path | None, storage: Path | None) -> str:
    """The options that name config and storage, as they can be typed behind a command."""
    places = [("--config", config), ("--storage", storage)]
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in places if value)


def simulator(engine: Engine, page: str, seed: int) -> Any:
    """A simulated vendor for a page."""
    from engine.author.simulate import Simulator

    return Simulator.of(engine, page, seed)
