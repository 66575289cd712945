"""`test`: whether a page holds what is promised, tried on a simulated vendor."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from engine.cli.options import as_json, only, open_engine, params

MOST = 200
"""Commit points that are tried where nobody says how many: all of a small page, a sample of a large one."""
EACH = 20
"""Runs after which a line says how far it is."""
MOST_TOLD = 10
"""Kills that did not hold which a screen names; `--json` names all."""


def _points(ctx: click.Context, option: click.Parameter, value: str) -> int | None:
    if value == "all":
        return None
    if not value.isdecimal():
        raise click.BadParameter(f'"{value}" is no number; write all, or how many')
    return int(value)


@click.command()
@click.argument("page", metavar="PAGE|TOOL")
@click.option(
    "--crash", is_flag=True, help="Kill runs of the page at their commit points and at random, and let them go on."
)
@click.option(
    "--points",
    default=str(MOST),
    show_default=True,
    callback=_points,
    metavar="all|N",
    help="How many commit points to kill at: evenly among all, with the first and last of each kind.",
)
@click.option("--random", "chance", default=50, show_default=True, help="How many runs to kill at a random instant.")
@click.option("--seed", default=1, show_default=True, help="Of the simulated vendor, and of the random instants.")
@click.option("--encrypted", is_flag=True, help="Keep everything encrypted, with a made-up key.")
@params
@only
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file.  [default: ./config.yaml]")
@as_json
def test(
    page: str,
    crash: bool,
    points: int | None,
    chance: int,
    seed: int,
    encrypted: bool,
    params: Mapping[str, str],
    only: Sequence[str],
    config: Path | None,
    as_json: bool,
) -> int:
    """Try whether a page holds what is promised, on a simulated vendor and in a storage of its own.

    With --crash, runs are killed at every commit point in turn (SIGKILL), at random instants, and some of them twice;
    each goes on by a plain run. Its tables, quarantine, reports, kept pages and marks must then be those of a run that
    nobody touched, byte for byte, and no request may come twice but those that were in flight.

    \b
    Example:
      engine test --crash apigee
      engine test --crash apigee --only proxies --points all --random 200 --seed 7
    """
    if not crash:
        raise click.UsageError("what shall be tried? There is: engine test --crash PAGE")
    from engine.author.crash import Matrix, Settings, simulated

    engine = open_engine(config, None)
    how = {"params": dict(params), "only": list(only)}
    job, opening, in_flight = simulated(engine, page, seed=seed, encrypted=encrypted, **how)
    matrix = Matrix(job, opening, in_flight, Settings(points=points, random=chance, seed=seed))
    report = matrix.run(_counting()).as_json()
    if as_json:
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        show(report)
    return 0 if report["holds"] else 1


def _counting() -> Callable[[Any], None]:
    """Says on standard error how far it is."""
    held = {True: 0, False: 0}

    def tell(tried: Any) -> None:
        held[tried.holds] += 1
        if sum(held.values()) % EACH == 0:
            click.echo(f"{sum(held.values()):,} runs killed, {held[False]:,} did not hold", err=True)

    return tell


COMMANDS: Sequence[click.Command] = (test,)


def show(report: Mapping[str, Any]) -> None:
    """The kills by their kind, and those that did not hold."""
    from engine.cli.screen import console, table
    from engine.cli.text import clean

    out = console()
    out.print(
        f"{report['page']}: a run has {report['requests']:,} requests, {report['points']:,} commit points, "
        f"{report['in_flight']} requests in flight at most, and ends with {report['exit_code']}"
    )
    heads = ("killed at", "runs", "kills", "differences", "requests repeated", "most for one kill", "requests missing")
    out.print()
    out.print(table(heads, [*_rows(report["tried"]), _row("all", report["tried"])], right=heads[1:]))
    out.print()
    failed = [one for one in report["tried"] if not one["holds"]]
    for one in failed[:MOST_TOLD]:
        told = ", ".join(one["differences"][:3]) or "the same outputs"
        more = len(one["differences"]) - 3
        out.print(
            clean(
                f"killed at {one['at'] or 'no point'}: {told}{f' and {more} more' if more > 0 else ''}; "
                f"{one['requests_repeated']} requests repeated (at most {one['may_repeat']}), "
                f"{one['requests_missing']} missing"
            ),
            style="red",
        )
    if len(failed) > MOST_TOLD:
        out.print(f"and {len(failed) - MOST_TOLD:,} more; --json names all")
    verdict = (
        "every run ended as if nobody had been killed" if report["holds"] else f"{len(failed):,} runs did not hold"
    )
    out.print(
        f"{verdict}; seed {report['seed']}, {report['seconds']:.0f} seconds",
        style="green" if report["holds"] else "red",
    )


def _rows(tried: Sequence[Mapping[str, Any]]) -> Iterable[Sequence[str]]:
    for kind in dict.fromkeys(one["kind"] for one in tried):
        yield _row(kind, [one for one in tried if one["kind"] == kind])


def _row(name: str, tried: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    kills = sum(one["kills"] for one in tried)
    repeated = sum(one["requests_repeated"] for one in tried)
    most = max((one["requests_repeated"] / max(1, one["kills"]) for one in tried), default=0)
    differences = sum(len(one["differences"]) for one in tried)
    missing = sum(one["requests_missing"] for one in tried)
    return (name, *(f"{n:,}" for n in (len(tried), kills, differences, repeated)), f"{most:.0f}", f"{missing:,}")
