"""Opens the simulated vendor of a page for one test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from engine.app.engine import registry
from engine.author.simulate import Simulator
from engine.flow.plan import Settings, plan
from engine.spec.read import read_page
from tests.author.client import CLOCK, Asked, Opening


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opening]:
    """Opens the simulated vendor of a page."""
    with ExitStack() as stack:

        def start(page: str, *, seed: int = 1) -> Asked:
            place = tmp_path / "acme.yaml"
            place.write_text(page)
            pipeline = read_page(place, registry()).pipeline
            simulator = Simulator(registry(), seed, CLOCK, lambda name: (tmp_path / name).read_bytes())
            made_up = {**{n: p.default for n, p in pipeline.params.items()}, **simulator.params(pipeline, {})}
            wanted = plan(pipeline, Settings(made_up, simulator.secrets(pipeline)))
            stand = stack.enter_context(simulator.open(wanted))
            return Asked(stand, stack.enter_context(httpx2.Client(verify=False)), wanted)

        yield start
