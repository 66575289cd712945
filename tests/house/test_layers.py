"""Who may import whom: data goes one way through the rooms, and nothing goes in circles."""

from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter

from tests.house.source import Import, Module, modules

PAGE = ("spec/model", "spec/collect", "spec/foreach", "spec/answers", "spec/job", "spec/filesource", "spec/fields")
"""The page as typed values."""
MAY_IMPORT = {
    "core": ("core",),
    "parts": ("parts", "core"),
    "spec": ("spec", "core"),
    "flow": ("flow", "core", *PAGE),
    "app": ("app", "core", "parts", "spec", "flow"),
    "author": ("author", "core", "spec", "flow/plan", "app"),
    "serve": ("serve", "core", "app"),
    "fleet": ("fleet", "core", "app"),
    "cli": ("cli", "app"),
}
INSIDE_A_COMMAND = ("serve", "fleet", "author")


@cache
def _known() -> dict[str, Module]:
    return {one.name: one for one in modules()}


def _ours(module: Module) -> Iterator[tuple[Import, Module]]:
    """Each import of ours with the module it reaches."""
    known = _known()
    for found in module.imports:
        target = found.target
        while target and target not in known:
            target = target.rpartition(".")[0]
        if target:
            yield found, known[target]


def _may(module: Module, found: Import, target: Module) -> bool:
    room = module.room.partition("/")[0]
    lazily = INSIDE_A_COMMAND if room == "cli" and found.in_function else ()
    return target.name == "engine" or target.lies_in(*MAY_IMPORT.get(room, ()), *lazily)


def test_every_module_stands_in_a_room() -> None:
    assert [] == [m.place for m in modules() if m.room and not m.lies_in(*MAY_IMPORT)]


def test_rooms_import_only_what_stands_below_them() -> None:
    assert [] == [
        f"{module.place}:{found.line} imports {found.target}"
        for module in modules()
        for found, target in _ours(module)
        if not _may(module, found, target)
    ]


def test_imports_have_no_cycle() -> None:
    graph = {m.name: {target.name for _, target in _ours(m) if target != m} for m in modules()}
    assert [] == _cycle(graph)


def test_a_cycle_is_found() -> None:
    assert {"a", "b"} == set(_cycle({"a": {"b"}, "b": {"a"}}))


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
