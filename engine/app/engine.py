"""The door for Python callers: an engine with its configuration, and what it can do with a page."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from engine import SHIPPED
from engine.app.check import check_page
from engine.app.config import Config, load
from engine.app.how import How, check
from engine.app.keeping import Keeping
from engine.app.stop import Stop
from engine.core.clock import Clock
from engine.core.errors import ConfigError, Finding, Json, Mistake, SpecError, nearest
from engine.core.events import Sink, nowhere
from engine.core.kinds import KINDS
from engine.core.registry import Registry
from engine.core.vendor import Vendor
from engine.spec.read import Source, read_page

if TYPE_CHECKING:
    import polars as pl

    from engine.app.look import Shown
    from engine.app.quarantine import Quarantine
    from engine.app.running import Running
    from engine.flow.ledger import Due
    from engine.flow.plan import Plan, Settings
    from engine.flow.report import Result
    from engine.flow.storage import Storage

HOMES = {kind: f"engine.parts.{kind}" for kind in KINDS}
STAGES = ("validation", "enrichment", "analytics")
SIMULATED_START = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
"""Simulated runs begin at one time, so that the same seed gives the same outputs."""


def registry() -> Registry:
    """The parts of this engine and of the packages beside it."""
    return Registry(dict(HOMES))


@dataclass
class Engine(Keeping):
    """Collects, processes and reports for the pages of one installation."""

    config: Config = field(default_factory=lambda: Config.model_validate({}))
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    emit: Sink = nowhere
    stop: Stop = field(default_factory=Stop)
    registry: Registry = field(default_factory=registry)
    clock: Clock | None = None

    @classmethod
    def from_config(
        cls,
        path: str | Path | None = None,
        *,
        storage: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        emit: Sink = nowhere,
    ) -> Engine:
        """An engine as config.yaml says; without a path the one in the working folder, if there is one."""
        env = dict(os.environ) if env is None else env
        config = load(Path(path) if path else None, env)
        if storage is not None:
            config = config.of(Path(storage))
        return cls(config=config, env=env, emit=emit)

    @property
    def storage(self) -> Storage:
        """Where everything is kept. Raises ConfigError where the key that is set is not the one it was made with."""
        from engine.app.sealed import opened

        return opened(self.config, self.env)

    # --- pages

    def page(self, tool: str | Path) -> Source:
        """The page at a path, or of a tool in pipelines_dir. Raises SpecError or ConfigError."""
        return read_page(self.find(tool), self.registry)

    def find(self, tool: str | Path) -> Path:
        """The file of a page: by path, or by tool name in pipelines_dir, or else as the tool's last run had it."""
        from engine.app.tools import page_of

        try:
            return page_of(self.pages, tool)
        except ConfigError:
            from engine.app.history import last_page

            if (known := last_page(self.storage, str(tool))) is None:
                raise
            return known

    @property
    def pages(self) -> Path:
        """The folder of the pages: pipelines_dir, or where there is none the pages that ship with the engine."""
        own = self.config.pipelines_dir
        return own if os.path.isdir(own) else SHIPPED / "pipelines"

    def tools(self) -> list[str]:
        """The tools that have a page."""
        return sorted(path.stem for path in self.pages.glob("*.yaml"))

    def beside(self, tool: str | Path) -> Callable[[str], bytes]:
        """Reads the files that lie beside a page."""
        from engine.flow.files import Files

        return Files(self.find(tool).parent).bytes

    def lint(self, tool: str | Path) -> list[Finding]:
        """Everything that is wrong with a page. Raises ConfigError when there is no such page."""
        from engine.app.tools import lint

        return lint(self.find(tool), self.registry)

    def doubts(self) -> list[str]:
        """What config.yaml says and nothing comes of, in words."""
        from engine.app.tools import strangers

        return [*self.config.notes, *strangers(self.config, self.pages)]

    def reference(self, word: str | None = None) -> str:
        """What the reference says of a word, or of the whole language, as markdown."""
        from engine.spec.reference import reference

        return reference(word)

    def resolved(self, tool: str | Path) -> str:
        """The page in its long form, as YAML with the origin of what its author did not write."""
        from engine.app.resolved import resolved

        return resolved(self.page(tool))

    def explain(
        self,
        tool: str | Path,
        *,
        params: Mapping[str, str] | None = None,
        only: Iterable[str] = (),
        verbose: bool = False,
    ) -> dict[str, Json]:
        """What a run would do, also where params or secrets are still missing. Raises SpecError or ConfigError."""
        from engine.app.explain import explain
        from engine.app.settings import look

        source = self.page(tool)
        check_page(source)
        name = source.pipeline.tool
        config, secret = self.config.params.get(name, {}), self.config.secrets.get(name, {})
        unset = self.config.unset(name)
        found = look(source, given=params or {}, config=config, secrets=secret, env=self.env, unset=unset)
        published = self.storage.shelf(name).current().get("tables", {})
        return explain(source, self._plan(source, found.settings, only), found, published=published, verbose=verbose)

    def plan(
        self,
        tool: str | Path | Source,
        *,
        params: Mapping[str, str] | None = None,
        only: Iterable[str] = (),
        vendor: Vendor | None = None,
    ) -> Plan:
        """What a run of the page would do. Raises SpecError or ConfigError."""
        source = tool if isinstance(tool, Source) else self.page(tool)
        return self._plan(source, self._settings(source, params or {}, vendor), only)

    def _plan(self, source: Source, settings: Settings, only: Iterable[str]) -> Plan:
        from engine.flow.plan import plan

        try:
            return plan(source.pipeline, settings, only)
        except Mistake as mistake:
            raise SpecError(str(mistake), mistake.fix, source.mark("endpoints")) from None

    def _settings(self, source: Source, params: Mapping[str, str], vendor: Vendor | None) -> Settings:
        from engine.app.settings import settle

        tool = source.pipeline.tool
        config, given = self.config.params.get(tool, {}), self.config.secrets.get(tool, {})
        if vendor is None:
            unset = self.config.unset(tool)
            return settle(source, given=params, config=config, secrets=given, env=self.env, unset=unset)
        made_up = {name: str(value) for name, value in vendor.params(source.pipeline, params).items()}
        secret = {name: one.reveal() for name, one in vendor.secrets(source.pipeline).items()}
        return settle(source, given={**made_up, **params}, config={}, secrets=secret, env={})

    # --- runs

    def run(self, tool: str | Path, *, schedule: str = "", at: str = "", **how: Unpack[How]) -> Result:
        """Collect, process and report, or do what a schedule of the page says, for the due time `at`.

        A run that was interrupted and was asked for the same goes on. With `replay` nobody is asked.
        """
        if not schedule:
            works = ("process", "report") if how.get("replay") else ("collect", "process", "report")
            return self.walk(tool, works, **how)
        from engine.app.schedule import asked

        return self.walk(tool, schedule=schedule, **{**how, **asked(self.page(tool), schedule, at)})

    def collect(self, tool: str | Path, **how: Unpack[How]) -> Result:
        """Fetch and keep what the page asks for."""
        return self.walk(tool, ("collect",), **how)

    def process(self, tool: str | Path, stage: str = "analytics", **how: Unpack[How]) -> Result:
        """Make the tables from kept pages, with no network; stops behind a stage, with validation it only checks."""
        if stage not in STAGES:
            raise ConfigError(
                f'no stage is called "{stage}"{nearest(stage, STAGES)}', f"the stages are {', '.join(STAGES)}"
            )
        return self.walk(tool, ("process",), stage=stage, **how)

    def report(self, tool: str | Path, **how: Unpack[How]) -> Result:
        """Write the page's reports from the published tables."""
        return self.walk(tool, ("report",), **how)

    def walk(
        self,
        tool: str | Path,
        works: Sequence[str],
        *,
        stage: str = "analytics",
        schedule: str = "",
        resumes: str = "",
        **how: Unpack[How],
    ) -> Result:
        """Do the works of a run; raises EngineError where it cannot begin or go on, each recorded in the storage.

        With a `vendor` that one is asked instead of the real one, and the storage must be a simulated one.
        A run that is `due` waits for another of its tool, and does nothing when that was the run of this time.
        `resumes` is a run that was interrupted, and goes on, or is incomplete, and is completed.
        """
        check(how, works)
        clock = self._clock(how.get("vendor"))
        try:
            return self._running(tool, works, clock, stage, schedule, resumes, **how).run()
        except BaseException as error:
            from engine.app import log
            from engine.app.sealed import seal_of_log

            context: dict[str, Json] = {"tool_name": Path(tool).stem, "collection_type": "+".join(works)}
            if not isinstance(error, (ConfigError, SpecError)) or self.config.storage.exists():
                seal = seal_of_log(self.config, self.env)
                log.keep(self.config.storage, error, at=clock.instant(), context=context, seal=seal)
            raise

    def _running(
        self,
        tool: str | Path,
        works: Sequence[str],
        clock: Clock,
        stage: str,
        schedule: str,
        resumes: str,
        *,
        params: Mapping[str, str] | None = None,
        only: Iterable[str] = (),
        vendor: Vendor | None = None,
        due: Due | None = None,
        fresh: bool = False,
        replay: str = "",
    ) -> Running:
        from engine.app.asked import Asked
        from engine.app.history import replayed
        from engine.app.running import Running

        source, only = self.page(tool), tuple(only)
        check_page(source, typed=False)
        plan = self.plan(source, params=params, vendor=vendor, only=only)
        asked = Asked(source, plan, tuple(works), only, schedule, vendor.seed if vendor else None)
        replays = replayed(self.storage, replay, source.pipeline.tool) if replay else ""
        mine = self.storage, clock, self.emit, self.stop, self.config.resume_within
        return Running(asked, *mine, vendor, stage, due, fresh, replays, resumes)

    # --- runs that were

    def runs(self, tool: str = "", *, limit: int | None = None) -> list[dict[str, Json]]:
        """The runs of a tool or of all, newest first: what each did, how it ended and how far it came."""
        from engine.app.history import runs

        return runs(self.storage, tool, limit)

    def record(self, run: str) -> dict[str, Json]:
        """One run, by its name, a part of that, or `latest`: its endpoints, what is missing. Raises ConfigError."""
        from engine.app.history import record

        return record(self.storage, run)

    def resume(self, run: str, **how: Unpack[How]) -> Result:
        """Go on with a run that was interrupted, or fetch what an incomplete one is missing. Raises ConfigError."""
        from engine.app.history import nothing_missing, resumable

        one, status = resumable(self.storage, run)
        if status not in ("interrupted", "incomplete"):
            return nothing_missing(self.storage, one)
        page = one.asked["page"] if Path(one.asked["page"]).is_file() else one.tool
        settings: How = {"only": one.asked["only"], **how}
        return self.walk(page, one.work.split("+"), schedule=one.schedule, resumes=one.run, **settings)

    def cancel(self, run: str) -> dict[str, Json]:
        """End a run for good, wherever it is going on; gives it as it is then. Raises ConfigError."""
        from engine.app.history import cancel

        return cancel(self.storage, run, self._clock(None))

    def _clock(self, vendor: Vendor | None) -> Clock:
        if vendor is not None:
            return self.simulated_clock(vendor.seed)
        return self.clock or Clock(time.time, self.stop.wait, random.Random(secrets.randbits(64)).random)

    def simulated_clock(self, seed: int) -> Clock:
        """The clock of a simulated run: it stands still and nobody waits; the same seed gives the same outputs."""
        start = SIMULATED_START.timestamp()
        return self.clock or Clock(lambda: start, lambda seconds: self.stop.wait(0), random.Random(seed).random)

    def now(self, *, simulated: bool = False) -> datetime:
        """The time that a run would begin at."""
        return (self.simulated_clock(0) if simulated else self._clock(None)).instant()

    def schedules(self, tools: Sequence[str | Path] = ()) -> list[dict[str, Json]]:
        """The schedules of pages, of all unless said: their times, what they do, when next, how the last run ended."""
        from engine.app.schedule import overview

        return overview(self.page, tools or self.tools(), self.storage, self._clock(None).instant())

    # --- what is there

    def table(self, tool: str, name: str) -> pl.LazyFrame:
        """The published rows of a table. Raises ConfigError."""
        from engine.app.look import published

        return published(self.storage, tool, name)

    def current(self, tool: str) -> dict[str, Json]:
        """What is published of a tool: tables with rows, files and schema."""
        return self.storage.shelf(tool).current()

    def show(
        self, tool: str, table: str, *, where: str = "", limit: int | None = None, quarantine: bool = False
    ) -> Shown:
        """Rows of a table, or those of it that were set apart. Raises ConfigError."""
        from engine.app.look import show

        return show(self.storage, tool, table, self.registry, where=where, limit=limit, quarantine=quarantine)

    def quarantine(self, tool: str | Path) -> Quarantine:
        """What is set apart of a tool: its rows, how they come back, and what is let in until a day."""
        from engine.app.quarantine import Quarantine

        is_page = Path(tool).suffix in (".yaml", ".yml")
        return Quarantine(self, self.page(tool).pipeline.tool if is_page else str(tool), tool)

    def shelf(self, tool: str) -> list[dict[str, Json]]:
        """The tables of a tool: rows, whether complete, when made. Raises ConfigError."""
        from engine.app.look import tables

        return tables(self.storage, tool)

    def raw(
        self, tool: str, endpoint: str, *, run: str | None = None, page: int | None = None, limit: int | None = None
    ) -> Iterator[dict[str, Json]]:
        """The kept pages of an endpoint, each with its request; of the newest run unless said. Raises ConfigError."""
        from engine.app.look import pages

        return pages(self.storage, tool, endpoint, self.registry, run=run, page=page, limit=limit)

    def state(self, tool: str) -> list[dict[str, Json]]:
        """How far each parent of each endpoint was read. Raises ConfigError where nothing is kept of it."""
        from engine.app.state import state

        return state(self.storage, tool)

    def reset(self, tool: str, endpoint: str, parent: str | None = None) -> dict[str, Json]:
        """Forget how far an endpoint was read, of all its parents or one. Raises ConfigError or StorageError."""
        from engine.app.state import reset

        return reset(self.storage, tool, endpoint, parent, lambda: self.page(tool).pipeline)

    def overview(self) -> list[dict[str, Json]]:
        """Every tool that has a page: title, what the page holds, and how its last run ended."""
        from engine.app.tools import overview

        return [overview(self.find(tool), self.registry, self.storage) for tool in self.tools()]
