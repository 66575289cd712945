"""What one process of a crash test does: a run of a page, and the instant at which it dies."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from engine.core.errors import Json


@dataclass(frozen=True)
class Job:
    """One run in one storage; everything in it is JSON, as it goes to another process."""

    page: str
    config: dict[str, Json]
    """What stands in config.yaml."""
    work: str = "run"
    how: dict[str, Json] = field(default_factory=dict)
    """The settings of the run: params, only."""
    env: dict[str, str] = field(default_factory=dict)
    now: float | None = None
    """The time at its beginning, where no simulator says it; it passes by waiting alone."""
    seed: int | None = None
    """Of the simulated vendor, where one is asked."""
    port: int = 0
    """Where the simulated vendor answers."""
    made_up: dict[str, Json] = field(default_factory=dict)
    """Endpoint that is read from files -> its records, where the simulator makes them up."""
    auth: str = ""
    """Its sign-in with made-up credentials, pickled and in Base64."""
    unless: str = ""
    """The run that is not begun once more where it has ended: a kill behind its last word leaves nothing to do."""
    before: str = ""
    """`module:function` that is called with the job in the process, first of all."""
    point: tuple[str, int] | None = None
    """The commit point to die at: its name, and how often it was reached."""
    after: float | None = None
    """The seconds after which it is killed from outside."""

    def but(self, **changes: Any) -> Self:
        """The same job with other settings."""
        return replace(self, **changes)

    def as_json(self) -> dict[str, Json]:
        """For another process."""
        return asdict(self)

    @classmethod
    def read(cls, said: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(**{**said, "point": tuple(said["point"]) if said["point"] else None})


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    killed: bool
    exit_code: int = 0
    error: str = ""
    run: str = ""
    """The newest run that collects, as the ledger knows it."""
    points: tuple[str, ...] = ()
    """The commit points it reached, in order, where it was not killed."""
    seconds: float = 0.0
    left: dict[str, str] = field(default_factory=dict)
    """What it left behind: name -> a digest; empty where it was killed."""
    modules: tuple[str, ...] = ()
    """What it had loaded."""
