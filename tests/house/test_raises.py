"""Outside core only errors of the engine's own tree are raised, so that each says where, what and how to mend."""

import ast

from tests.house.source import dotted, modules

BARE = {"BaseException", "Exception", "ValueError", "TypeError", "RuntimeError", "NotImplementedError"}


def _raised(node: ast.Raise) -> str:
    """The name after `raise`, whether it is called or not."""
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return dotted(raised) if raised else ""


def test_no_bare_error_is_raised_outside_core() -> None:
    assert [] == [
        f"{module.place}:{node.lineno} raises {_raised(node)}"
        for module in modules()
        if not module.lies_in("core")
        for node, _ in module.nodes
        if isinstance(node, ast.Raise) and _raised(node) in BARE
    ]
