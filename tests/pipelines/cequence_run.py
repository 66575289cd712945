"""Runs the Cequence page against a stand-in, with a clock that waits without sleeping."""

import contextlib
import io
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.app import Engine
from engine.app.config import Config
from engine.core.clock import Clock
from engine.flow.report import Result
from tests.pipelines.apigee_run import Hours
from tests.vendors.cequence import Cequence
from tests.vendors.cequence_inventory import Inventory

PAGE = Path(__file__).parents[2] / "pipelines" / "cequence.yaml"
Row = dict[str, Any]


@dataclass
class Stage:
    """A tenant, a storage and an engine that knows both; all that the engine says is kept in `said`."""

    vendor: Cequence
    storage: Path
    hours: Hours
    said: list[str] = field(default_factory=list)
    sign_in: str = "oauth2"

    @property
    def events(self) -> Path:
        """The folder of exported events."""
        return self.storage.parent / "events"

    @property
    def environment(self) -> dict[str, str]:
        """The secrets of the chosen sign-in, and no others."""
        if self.sign_in == "oauth2":
            return {
                "CEQUENCE_CLIENT_ID": self.vendor.client_id,
                "CEQUENCE_CLIENT_SECRET": self.vendor.client_secret,
            }
        return {"CEQUENCE_API_KEY": self.vendor.api_key}

    @property
    def engine(self) -> Engine:
        """An engine as a person would start it."""
        return Engine(
            config=Config.model_validate({"storage": self.storage}),
            env=self.environment,
            emit=lambda event: self.said.append(repr(event)),
            clock=Clock(self.hours.now, self.hours.wait, random.Random(7).random),
        )

    @property
    def params(self) -> dict[str, str]:
        """What the page must be told to find the stand-in and the files."""
        return {
            "tenant_domain": "acme.s.cequence.cloud",
            "sign_in": self.sign_in,
            "auth_url": self.vendor.auth_url,
            "base_url": self.vendor.base_url,
            "spyder_base_url": self.vendor.spyder_url,
            "event_files": str(self.events / "*.jsonl"),
            "event_list_files": str(self.events / "*.json"),
            "rate_limit": "1000/s",
        }

    def run(self, params: Mapping[str, str] | None = None, **how: Any) -> Result:
        """Collect, process and report; what is printed or raised is kept in `said`."""
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                result = self.engine.run(PAGE, params={**self.params, **(params or {})}, **how)
            self.said.append(json.dumps(result.as_json()))
            return result
        except Exception as error:
            self.said.append(f"{error!r} {error} {getattr(error, 'context', '')}")
            raise
        finally:
            self.said.append(printed.getvalue())

    def collect(self, *only: str, **params: str) -> Result:
        """Only fetch and keep, of these endpoints."""
        return self.engine.collect(PAGE, params={**self.params, **params}, only=only)

    def publish(self, *only: str, **params: str) -> Result:
        """Collect these endpoints and make the tables of records."""
        assert self.collect(*only, **params).exit_code == 0
        return self.engine.process(PAGE, stage="enrichment", params={**self.params, **params}, only=only)

    def rows(self, table: str) -> list[Row]:
        """The published rows of a table, in their order."""
        return self.engine.table("cequence", table).collect().to_dicts()


@contextlib.contextmanager
def opened(storage: Path, **how: Any) -> Iterator[Stage]:
    """A stage on which nothing has happened yet, its exported events written; `how` is for the tenant."""
    inventory = Inventory()
    hours = Hours(inventory.now)
    with Cequence(inventory, clock=hours.now, **how) as vendor:
        stage = Stage(vendor, storage, hours)
        inventory.write_events(stage.events)
        yield stage
