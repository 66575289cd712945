"""The jobs of crash tests: the three pages against the stand-ins of their vendors, and a page of many words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from engine.author.crash import Matrix, Report, Settings
from engine.author.crash.job import Job
from engine.author.crash.vendor import Scene
from tests.pipelines import apigee_run, cequence_run, crunch_run
from tests.vendors.server import Asked, Server

Staged = Callable[[Path], AbstractContextManager[tuple[Server, Job]]]
SIGN_IN = ("/token", "/auth")
"""Answers to these are never kept, so each process asks anew."""


def watched(vendor: Server) -> Callable[[], AbstractContextManager[Scene]]:
    """Gives what is asked of an open vendor from then on."""

    @contextmanager
    def opening() -> Iterator[Scene]:
        begin = len(vendor.log)
        yield Scene({}, lambda: [line(asked) for asked, _ in vendor.log[begin:] if is_data(asked)])

    return opening


def is_data(asked: Asked) -> bool:
    """Whether a request is for data; a connection that was cut stands in the log, too."""
    return asked.method != "BROKEN" and not any(asked.path.startswith(path) for path in SIGN_IN)


def line(asked: Asked) -> str:
    """A request as it is compared."""
    return f"{asked.method} {asked.target} {asked.body.decode(errors='replace')}"


def slower(page: Path, folder: Path, concurrency: int) -> Path:
    """The page with so many requests at once."""
    text = page.read_text()
    place = folder / page.name
    assert "connection:\n" in text
    kept = [line for line in text.splitlines() if not line.startswith("  concurrency:")]
    at = kept.index("connection:")
    place.write_text("\n".join([*kept[: at + 1], f"  concurrency: {concurrency}", *kept[at + 1 :]]) + "\n")
    for other in page.parent.glob("*"):
        if other != page and not (folder / other.name).exists():
            (folder / other.name).symlink_to(other)
    return place


@contextmanager
def apigee(folder: Path) -> Iterator[tuple[Server, Job]]:
    """The Apigee page, in pages of fifteen."""
    with apigee_run.opened(folder, max_page=15, max_count=15) as stage:
        env = {"APIGEE_SERVICE_ACCOUNT_KEY": json.dumps(stage.account)}
        yield stage.vendor, Job(str(apigee_run.PAGE), {}, how={"params": stage.params}, env=env, now=stage.hours.now())


@contextmanager
def crunch(folder: Path) -> Iterator[tuple[Server, Job]]:
    """The 42Crunch page."""
    with crunch_run.opened(folder) as stage:
        env = {"FORTYTWOCRUNCH_API_KEY": stage.vendor.token}
        yield stage.vendor, Job(str(crunch_run.PAGE), {}, how={"params": stage.params}, env=env, now=stage.hours.now())


@contextmanager
def cequence(folder: Path) -> Iterator[tuple[Server, Job]]:
    """The Cequence page, with its exported files of events."""
    with cequence_run.opened(folder / "storage") as stage:
        how = {"params": stage.params}
        yield stage.vendor, Job(str(cequence_run.PAGE), {}, how=how, env=stage.environment, now=stage.hours.now())


VENDORS: dict[str, Staged] = {"apigee": apigee, "42crunch": crunch, "cequence": cequence}


def tried(vendor: Server, job: Job, in_flight: int, template: Path | None = None, **how: Any) -> Report:
    """What came of the kills of a job at an open vendor, which writes down what it is asked: one after the other."""
    return Matrix(job, watched(vendor), in_flight, Settings(workers=1, **how), template).run()


def told(report: Report) -> list[str]:
    """The kills that did not hold, in words."""
    return [
        f"{one.at} ({one.kills} kills): {', '.join(one.differences[:4])}; {one.repeated} of {one.most} repeated, "
        f"{one.unasked} missing: {', '.join(one.again[:4])}"
        for one in report.tried
        if not one.holds
    ]
