"""What an engine does with a storage as a whole: clean it up, back it up, restore it, and compare what it held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.core.errors import ConfigError, Json, SpecError

if TYPE_CHECKING:
    from engine.app.cleanup import Cleaned
    from engine.app.config import Config
    from engine.app.diff import Differences
    from engine.flow.plan import Plan
    from engine.flow.storage import Storage
    from engine.spec.read import Source


class Whole(Protocol):
    """An engine, as far as its storage is concerned."""

    config: Config
    env: Any

    @property
    def storage(self) -> Storage:
        """Where everything is kept."""

    def page(self, tool: str | Path) -> Source:
        """The page of a tool."""

    def now(self) -> datetime:
        """What time it is."""

    def _plan(self, source: Source, settings: Any, only: Iterable[str]) -> Plan:
        """What a run would do."""


class Keeping:
    """The works on a storage as a whole."""

    def cleanup(
        self: Whole,
        tools: Sequence[str] = (),
        *,
        max_age: str | float | timedelta,
        raw: bool = False,
        dry_run: bool = False,
    ) -> Cleaned:
        """Take out what is older than `max_age`, in hours or as a duration: versions, reports, and what was set apart.

        Kept pages only with `raw`. What is current, unfinished or needed stays. Raises ConfigError, StorageError.
        """
        from engine.app.cleanup import Cleanup, age
        from engine.app.settings import look
        from engine.flow.files import Files

        before = self.now() - (max_age if isinstance(max_age, timedelta) else age(max_age))

        def plan_of(tool: str) -> tuple[Plan, Files] | None:
            config = self.config
            with suppress(ConfigError, SpecError):  # a tool may have no page any more
                source = self.page(tool)
                more = {"config": config.params.get(tool, {}), "secrets": config.secrets.get(tool, {})}
                found = look(source, given={}, env=self.env, unset=config.unset(tool), **more)
                return self._plan(source, found.settings, ()), Files(source.folder)
            return None

        within = self.config.resume_within.seconds
        return Cleanup(self.storage, before, within, plan_of, raw, dry_run).clean(tools)

    def backup(self: Whole, path: str | Path | None = None) -> dict[str, Json]:
        """Copy the storage into one file, also while runs go on; by default into its folder `backups`."""
        from engine.app.backup import backup

        return backup(self.storage, Path(path) if path else None, self.now())

    def restore(self: Whole, path: str | Path) -> dict[str, Json]:
        """Make the storage, which must not be there yet, of a backup. Raises ConfigError, StorageError."""
        from engine.app.backup import restore

        return restore(self.storage, Path(path))

    def diff(self: Whole, tool: str, old: str, new: str, *, table: str | None = None) -> Differences:
        """What differs between the tables of two runs, each by name, `latest` or `previous`. Raises ConfigError."""
        from engine.app.diff import differences

        return differences(self.storage, tool, old, new, table)
