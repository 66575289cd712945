"""Names in the order of their needs."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping

from engine.core.errors import Mistake


class Circle(Mistake):
    """Raised where names need each other; `names` are those, the first once more at the end."""

    def __init__(self, what: str, names: list[str]) -> None:
        message = f"these {what} need each other in a circle: {' -> '.join(names)}"
        super().__init__("circle", message, "take one of these needs out")
        self.names = names


def ordered(needs: Mapping[str, Iterable[str]], what: str) -> tuple[str, ...]:
    """Names behind what they need, otherwise in the order they have; needs that are none of them do not count.

    Raises Circle.
    """
    known = {name: [one for one in wanted if one in needs] for name, wanted in needs.items()}
    sorter = graphlib.TopologicalSorter(known)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise Circle(what, error.args[1][::-1]) from None
    order, place = list[str](), {name: at for at, name in enumerate(needs)}
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=place.__getitem__)
        order += ready
        sorter.done(*ready)
    return tuple(order)
