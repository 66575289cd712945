"""Lints of windows of time: where they start, whether and how the vendor is told, and whether they lose anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from engine.core import select, template
from engine.core.errors import Mistake
from engine.core.times import TimeFormat, first_instant
from engine.spec.collect import Endpoint
from engine.spec.foreach import Incremental
from engine.spec.lint.look import Found, Look
from engine.spec.read import Loc

FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""Late enough for every `so long ago`."""
SMALLEST = {"date": 86400.0, "iso": 0.0, "epoch_s": 1.0, "epoch_ms": 0.0}
"""Form of time -> the smallest step it can say, in seconds."""
DIRECTIVES = (("%f", 0.0), ("%[ScXTs]", 1.0), ("%[MR]", 60.0), ("%[HI]", 3600.0))


def wrong_starts(look: Look) -> Iterator[Found]:
    """`incremental.start` is neither a time nor so long ago."""
    for path, _, incremental in _all(look):
        try:
            if template.compile(incremental.start).constant:
                first_instant(incremental.start, FAR)
        except Mistake as mistake:
            yield Found((*path, "start"), mistake)


def unsent_windows(look: Look) -> Iterator[Found]:
    """An incremental endpoint never tells the vendor its window, or cuts it in steps without an upper bound."""
    for path, endpoint, incremental in _all(look):
        from_, until = _told(look, path, endpoint)
        if not from_ and not until and not (incremental.order == "desc" and incremental.field):
            fix = "write send: query.updated_since in incremental, or ${window.start} in the query"
            mistake = Mistake("unsent-window", "the window is never sent, so every collection asks for everything", fix)
            yield Found(path, mistake, key=True)
        elif incremental.step and not until:
            message = "windows are cut in steps, and their end is never sent: each would give all that is newer"
            fix = "write send: { from: query.since, until: query.until }, or take step out"
            yield Found((*path, "step"), Mistake("unsent-window", message, fix))


def _told(look: Look, path: Loc, endpoint: Endpoint) -> tuple[bool, bool]:
    """Whether the vendor hears where a window starts, and where it ends."""
    send = endpoint.incremental.send if endpoint.incremental and not endpoint.job else None
    named = {
        reference.path[:1]
        for place, _, reference in look.references
        if place[:2] == path[:2] and reference.namespace == "window"
    }
    if endpoint.paginate and endpoint.paginate.word == "time_window":
        return True, True
    stop = endpoint.paginate.stop_when if endpoint.paginate else None
    if stop and "window" in select.compile(stop).roots:  # a list with the newest first is read until its start
        return True, True
    return bool(send and send.from_) or ("start",) in named, bool(send and send.until) or ("end",) in named


def unknown_steps(look: Look) -> Iterator[Found]:
    """Windows end one step before the next, and nobody says how long the vendor's steps are."""
    for path, _, incremental in _all(look):
        if incremental.bounds == "inclusive" and "granularity" not in incremental.model_fields_set:
            message = "windows end 1s before the next one: records whose times have fractions would fall between"
            fix = "write granularity: 1ms, or what else the smallest step of the vendor's times is"
            yield Found((*path, "bounds"), Mistake("window", message, fix), "warning")


def lossy_formats(look: Look) -> Iterator[Found]:
    """The bounds of a window are sent in a form that cannot say them."""
    for path, _, incremental in _all(look):
        form = incremental.send.format if incremental.send else TimeFormat("iso")
        finest = _smallest(form)
        if finest > incremental.granularity.seconds:
            message = f'"{form}" cannot say {_unit(finest)}: what is newer than the bound it says comes twice'
            fix = f"write granularity: {_as_duration(finest)}, so that windows end where {form} can say it"
            yield Found((*path, "send", "format"), Mistake("format", message, fix), "warning")
        if finest < 86400 and "%" in form and not re.search(r"%z|Z$|%s", form):
            message = f'"{form}" names no time zone: the times that are sent are UTC'
            fix = "add %z, or make sure that the vendor reads them as UTC"
            yield Found((*path, "send", "format"), Mistake("format", message, fix), "note")


def unreadable_formats(look: Look) -> Iterator[Found]:
    """`read_format` has nothing to read, or no day."""
    for path, _, incremental in _all(look):
        if "read_format" in incremental.model_fields_set and not incremental.field:
            message = "read_format has no use without field: the next window starts where this one ends"
            yield Found((*path, "read_format"), Mistake("format", message, "write field: updated_at, or take it out"))
        for number, form in enumerate(incremental.read_format):
            if "%" in form and not re.search(r"%[cs]|%[Dx]|%F|%[yY].*(%j|%d)|%[dj].*%[yY]", form):
                message = f'"{form}" has no day and year, so it is no time'
                yield Found((*path, "read_format", number), Mistake("format", message, "write %Y-%m-%d, or iso"))


def powerless_windows(look: Look) -> Iterator[Found]:
    """A word of `incremental` has nothing to work on."""
    for path, endpoint, incremental in _all(look):
        if incremental.order == "asc" and not incremental.field:
            message = "order: asc moves the watermark by the records' times, and no field says where they are"
            yield Found((*path, "order"), Mistake("incremental", message, "write field: updated_at, or take order out"))
        if "parents" in incremental.model_fields_set and not endpoint.for_each:
            message = "there are no parents without for_each"
            yield Found((*path, "parents"), Mistake("incremental", message, "take parents out"), "warning", key=True)
        if endpoint.job and incremental.send:
            message = "a job has several requests, and which of them is told the window is not said"
            fix = "write ${window.start} and ${window.end} in create, and take send out"
            yield Found((*path, "send"), Mistake("incremental", message, fix), key=True)


def _all(look: Look) -> Iterator[tuple[Loc, Endpoint, Incremental]]:
    for name, endpoint in look.pipeline.endpoints.items():
        if endpoint.incremental:
            yield ("endpoints", name, "incremental"), endpoint, endpoint.incremental


def _smallest(form: str) -> float:
    """The smallest step of time that a form can say, in seconds."""
    if form in SMALLEST:
        return SMALLEST[form]
    return next((step for pattern, step in DIRECTIVES if re.search(pattern, form)), 86400.0)


def _unit(seconds: float) -> str:
    return {60.0: "seconds", 3600.0: "minutes", 86400.0: "the time of day"}.get(seconds, "fractions of a second")


def _as_duration(seconds: float) -> str:
    return {1.0: "1s", 60.0: "1m", 3600.0: "1h"}.get(seconds, "1d")
