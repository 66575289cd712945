"""The command `engine`: its commands, and how each of them ends.

Commands import what they need when they are called, so that help answers at once.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from engine import __version__
from engine.cli import daemon, data, history, keep, pages, quarantine, runs, sealed, test
from engine.cli.stop import CANCELLED, STOPPED, stopped

if TYPE_CHECKING:
    from engine.app import errors


class Commands(click.Group):
    """The commands in the order of a person's work; an error of theirs becomes its words and its exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order they were added."""
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words as they were typed: one who stops a run is told how it goes on."""
        ctx.meta["engine.words"] = [*args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; gives its exit code."""
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            # Who reads has seen enough; the flush at the end of the process must not complain either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except (KeyboardInterrupt, Exception) as error:
            return _told(error, ctx)
        return code


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="engine", message="%(prog)s %(version)s")
def commands() -> None:
    """A page of YAML becomes a vendor integration: collect, keep, type, check, enrich, report.

    \b
    Example:
      engine run pipelines/apigee.yaml --simulate
    """


SHELVES = (runs, history, pages, data, quarantine, keep, daemon, test, sealed)
for command in (command for shelf in SHELVES for command in shelf.COMMANDS):
    commands.add_command(command)


OBJECTS_OF_A_PAGE = 200_000
"""So many are made before lint looks for garbage: the little that one page leaves would take a tenth of its time."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that these words, or those of the process, ask for; gives the exit code."""
    # Its plugins, of which the engine uses none, are looked for in the files of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    own_process = words is None
    if own_process and sys.argv[1:2] == ["lint"]:
        gc.set_threshold(OBJECTS_OF_A_PAGE)
    try:
        return int(commands.main(args=words, prog_name="engine", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo(STOPPED, err=True)
        return 130
    finally:
        if own_process:
            gc.freeze()  # what dies with the process is not searched for garbage once more


def _told(error: BaseException, ctx: click.Context) -> int:
    """Say what went wrong, for a person; gives the exit code."""
    from engine.app import errors, log

    if isinstance(error, (KeyboardInterrupt, errors.Stopped)):
        click.echo(CANCELLED if "cancelled" in str(error) else stopped(ctx), err=True)
        return errors.Stopped.exit_code
    if isinstance(error, errors.EngineError):
        _say(error)
        code = error.exit_code
    else:
        code = _defect(error, ctx)
    if ctx.meta.get("engine.json"):
        click.echo(json.dumps(log.entry(error, {"command": ctx.invoked_subcommand}), ensure_ascii=False, default=str))
    return code


def _say(error: errors.EngineError) -> None:
    from engine.app.problem import block
    from engine.cli.text import clean

    click.echo(clean(block(error)), err=True)


def _defect(error: BaseException, ctx: click.Context) -> int:
    from engine.app import log

    storage = ctx.meta.get("engine.storage", "storage")
    error_id, place = log.note(storage, error, {"command": ctx.invoked_subcommand})
    where = f"its record is in {place}" if place else "its record could not be written; ENGINE_DEBUG=1 shows its trace"
    click.echo(f"a defect of the engine, error_id {error_id}: please report it; {where}", err=True)
    if log.wants_trace():
        import traceback

        traceback.print_exception(error)
    return 1
