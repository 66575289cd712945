"""Times in the forms that vendors write and read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from engine.core.clock import read_instant
from engine.core.errors import Json, Mistake
from engine.core.filters import EPOCHS, is_form
from engine.core.filters import written as written
from engine.core.values import Duration, Spelled
from engine.core.window import EPOCH


class TimeFormat(Spelled):
    """How a time is written: `iso`, `date`, `epoch_s`, `epoch_ms`, or a pattern such as `%m/%d/%Y`."""

    pattern = r"iso|date|epoch_s|epoch_ms|.*%.*"
    says = "a form of time; write iso, date, epoch_s, epoch_ms, or a pattern such as %m/%d/%Y %H:%M"

    @classmethod
    def check(cls, text: str) -> None:
        """Raise Mistake for a form that is unknown, or that some systems write in other ways."""
        if not is_form(text):
            raise cls.wrong(f'"{text}"')


def instant_of(value: Json, forms: Sequence[str]) -> datetime:
    """The time that a value is in the first form that fits; UTC where it names no offset. Raises ValueError."""
    for form in forms:
        try:
            return _read(value, form)
        except (ValueError, OverflowError):
            continue
    raise ValueError(f'"{value}" is no time in the form {" or ".join(forms)}')


def _read(value: Json, form: str) -> datetime:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool) and form in EPOCHS:
        return EPOCH + float(value) * EPOCHS[form]
    if not isinstance(value, str):
        raise ValueError
    if form not in ("iso", "date"):
        found = datetime.strptime(value, form)  # noqa: DTZ007  # the next line sees to it
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    if value.strip().isdecimal():  # Python would read some epochs as days of the Middle Ages
        raise ValueError
    return read_instant(value)


def first_instant(start: str, now: datetime) -> datetime:
    """Where a time begins that a page names: `30d` is so long before now, anything else a time. Raises Mistake."""
    try:
        return now - Duration.read(start).delta
    except (Mistake, OverflowError):
        pass
    try:
        return read_instant(start)
    except (ValueError, OverflowError):
        raise Mistake("incremental", f'"{start}" is no time and no duration', "write 2026-01-01 or 30d") from None
