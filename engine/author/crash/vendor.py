"""The simulated vendor of a crash test: it lives where nobody is killed, and writes down what it is asked."""

from __future__ import annotations

import base64
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from engine.author.crash.job import Job
from engine.author.simulate import Simulator
from engine.author.simulate.door import Door
from engine.author.simulate.exports import Exports
from engine.author.simulate.routes import routes
from engine.author.simulate.serve import Desk
from engine.author.simulate.world import World
from engine.core import jsontext
from engine.core.kinds import Auth
from engine.core.wire import Page, Request
from engine.flow.plan import Plan, render

if TYPE_CHECKING:
    from engine.app import Engine


@dataclass(frozen=True)
class Scene:
    """A vendor that is open for one storage."""

    changes: Mapping[str, Any]
    """What a job must know to find it."""
    asked: Callable[[], Sequence[str]]
    """The requests for data so far; those of the sign-in, whose answers are never kept, are not among them."""


Opening = Callable[[], AbstractContextManager[Scene]]
JOB_ASKS = 2
"""How far a job is and where its files are is not kept: a thread that has one in flight asks so many things again."""


@dataclass
class Watched:
    """Opens the same made-up vendor as often as it is asked for; each has forgotten what the one before was asked."""

    simulator: Simulator
    plan: Plan
    world: World = field(init=False)
    auth: Auth | None = field(init=False)

    def __post_init__(self) -> None:
        bases = [self.plan.base_url(asked) for asked in self.plan.endpoints if not asked.skipped]
        auth = self.plan.auth()
        self.auth = auth.rehearse(bases[0]) if auth and bases else auth
        self.world = World(self.plan, self.simulator.seed, float(int(self.simulator.clock.now())), self.simulator.read)
        self.world.build()

    @contextmanager
    def open(self) -> Iterator[Scene]:
        """Answer until the context ends, without the troubles that any request may meet with: each comes but once."""
        calm: dict[str, Any] = {name: [] for name in self.world.forms}
        exports, clock = Exports(self.plan), self.simulator.clock
        desk = Desk(self.world.forms, routes(self.plan, self.world), self.auth, clock, exports, calm)
        asked: list[str] = []

        def answer(request: Request) -> Page:
            if not (self.auth and self.auth.grant(request, clock.now()) is not None):
                asked.append(f"{request.method} {request.url} {jsontext.canonical(request.body)}")
            return desk.answer(request)

        door = Door(answer)
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield Scene({"port": door.server_address[1]}, lambda: asked)
        finally:
            door.shutdown()
            door.server_close()
            thread.join()


def simulated(
    engine: Engine, page: str, *, seed: int = 1, encrypted: bool = False, **how: Any
) -> tuple[Job, Opening, int]:
    """The job of a page against its simulated vendor, where that opens, and how many requests may be in flight."""
    simulator = Simulator.of(engine, page, seed)
    plan = engine.plan(page, vendor=simulator, **how)
    watched = Watched(simulator, plan)
    files = [asked.name for asked in plan.endpoints if asked.endpoint.file]
    job = Job(
        str(engine.find(page).resolve()),
        {"params": {name: dict(given) for name, given in engine.config.params.items()}},
        how=how,
        env={"ENCRYPTION_KEY": base64.b64encode(Random(seed).randbytes(32)).decode()} if encrypted else {},
        seed=seed,
        auth=base64.b64encode(pickle.dumps(watched.auth)).decode(),
        made_up={name: [row for unit in watched.world.units.get(name, []) for row in unit.rows] for name in files},
    )
    said = plan.pipeline.connection.concurrency
    concurrency = int(render(said, plan.settings.scope()) if isinstance(said, str) else said)
    jobs = any(asked.endpoint.job for asked in plan.endpoints)
    return job, watched.open, concurrency * (JOB_ASKS if jobs else 1)
