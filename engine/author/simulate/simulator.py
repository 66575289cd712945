"""A vendor in the real one's place: made-up params and secrets, a world of records, a server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Self

from engine.author.simulate import vocabulary
from engine.author.simulate.door import Door
from engine.author.simulate.exports import Exports
from engine.author.simulate.routes import routes
from engine.author.simulate.serve import Desk
from engine.author.simulate.world import World
from engine.core.clock import Clock
from engine.core.errors import Json
from engine.core.kinds import Auth
from engine.core.registry import Registry
from engine.core.settle import Choice, inside
from engine.core.values import Secret, param_of
from engine.core.vendor import Stand
from engine.core.wire import as_text
from engine.flow.plan import Plan
from engine.spec.foreach import Parent
from engine.spec.model import Param, Pipeline

if TYPE_CHECKING:
    from engine.app import Engine

Published = Callable[[str], Iterable[Json]]
"""Gives the rows of a table."""
FAST = "10000/s"
"""There is nobody to be spared."""
MANY = 3
"""So many values has a list that nobody set, at most."""


@dataclass
class Open:
    """A simulated vendor while it is open."""

    auth: Auth | None
    door: Door
    world: World

    def reach(self, url: str) -> str:
        """Where an address of the real vendor is answered instead."""
        return self.door.reach(url)

    def rows(self, endpoint: str) -> Sequence[Json]:
        """The made-up records of an endpoint that is read from files."""
        return [row for unit in self.world.units.get(endpoint, []) for row in unit.rows]


@dataclass
class Simulator:
    """Implements the protocol `Vendor` for any page; the same seed and clock give the same answers.

    `read` gives a file beside the page, so that made-up records meet the JSON Schemas that the page names.
    """

    registry: Registry
    seed: int
    clock: Clock
    read: Callable[[str], bytes] | None = None

    @classmethod
    def of(cls, engine: Engine, tool: str | Path, seed: int = 1) -> Self:
        """The simulated vendor of a page, for `engine.run(tool, vendor=…)` in a storage of its own."""
        return cls(engine.registry, seed, engine.simulated_clock(seed), engine.beside(tool))

    def params(self, pipeline: Pipeline, given: Mapping[str, Json]) -> Mapping[str, Json]:
        """A value for each param that nobody set: its example, else its default, else something that fits its name."""
        gates = {one.skip_unless.param for one in pipeline.endpoints.values() if one.skip_unless}
        gates |= {param_of(one.param) or "" for one in inside(pipeline, Parent) if one.param}
        options = {param_of(one.by): next(iter(one.options)) for one in inside(pipeline, Choice)}
        found: dict[str, Json] = {}
        for name, param in pipeline.params.items():
            if given.get(name) is not None:
                continue
            if param.type == "rate":
                found[name] = FAST
            elif param.example is not None:
                found[name] = _typed(param.example, param)
            elif name in options and param.default is None:
                found[name] = options[name]
            elif param.default is None and (not param.optional or name in gates):
                found[name] = self._made_up(name, param)
        return found

    def _made_up(self, name: str, param: Param) -> str:
        fixed = {"integer": "10", "number": "1.5", "boolean": "true", "duration": "1h", "path": ".", "rate": FAST}
        if param.type in fixed:
            return fixed[param.type]
        if "url" in name:
            return f"https://{name.replace('_', '-').removesuffix('-url')}.example.com"
        rng = Random(f"{self.seed} param {name}")
        said = [vocabulary.say([vocabulary.noun(name)], name, rng) or vocabulary.coin(name, rng) for _ in range(MANY)]
        return param.split.join(dict.fromkeys(said)) if param.type == "list" else said[0]

    def secrets(self, pipeline: Pipeline) -> Mapping[str, Secret]:
        """Made-up secrets, all that the page names."""
        return {
            name: Secret(vocabulary.secret(Random(f"{self.seed} secret {name}")), name) for name in pipeline.secrets
        }

    @contextmanager
    def open(self, plan: Plan, rows: Published = lambda table: ()) -> Iterator[Stand]:
        """Answer the plan's requests until the context ends."""
        world = World(plan, self.seed, float(int(self.clock.now())), self.read, rows).build()
        bases = [plan.base_url(asked) for asked in plan.endpoints if not asked.skipped]
        auth = plan.auth()
        auth = auth.rehearse(bases[0]) if auth and bases else auth
        door = Door(Desk(world.forms, routes(plan, world), auth, self.clock, Exports(plan)).answer)
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield Open(auth, door, world)
        finally:
            door.shutdown()
            door.server_close()
            thread.join()


def _typed(value: Json, param: Param) -> str:
    """A value as a person would type it."""
    return param.split.join(as_text(one) for one in value) if isinstance(value, list) else as_text(value)
