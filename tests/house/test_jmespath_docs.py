"""docs/jmespath.md names each reason for which a path is not translated; run as a program this writes them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from engine.app.reads import instead
from tests.house.source import ROOT

PAGE = ROOT / "docs" / "jmespath.md"
SOURCES = [*sorted((ROOT / "engine" / "core" / "select").glob("*.py")), ROOT / "engine" / "flow" / "columns.py"]
BETWEEN = re.compile(r"(<!-- reasons: [^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)


def _reasons() -> Iterator[str]:
    """Every reason that the code gives, with … for what it fills in."""
    for source in SOURCES:
        tree = ast.parse(source.read_text())
        constants = {target.id: one.value for one in tree.body if isinstance(one, ast.Assign) for target in _names(one)}
        for node in ast.walk(tree):
            given = _given(node)
            yield from _texts(constants.get(given.id, given) if isinstance(given, ast.Name) else given)


def _names(node: ast.Assign) -> list[ast.Name]:
    return [target for target in node.targets if isinstance(target, ast.Name)]


def _given(node: ast.AST) -> ast.AST | None:
    """What a node gives as a reason."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute) and node.args:
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        return {"Refused": node.args[0], "Refusal": node.args[0], "Conflict": node.args[-1]}.get(name)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        target = node.targets[0].value
        return node.value if isinstance(target, ast.Name) and target.id == "slow" else None
    return None


def _texts(node: ast.AST | None) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (text for branch in (node.body, node.orelse) for text in _texts(branch))


def _table() -> str:
    rows = [f"| {reason} | {instead(reason) or '–'} |\n" for reason in sorted(set(_reasons()))]
    return "| why | what to write instead |\n|---|---|\n" + "".join(row.replace("||", "\\|\\|") for row in rows)


def test_the_docs_name_each_reason_for_which_a_path_is_not_translated() -> None:
    found = BETWEEN.search(PAGE.read_text())
    assert found is not None
    assert BETWEEN.sub(rf"\1{_table()}\2", found.group()) == found.group(), "python -m tests.house.test_jmespath_docs"


def test_there_are_reasons() -> None:
    assert len(set(_reasons())) > 10


if __name__ == "__main__":
    PAGE.write_text(BETWEEN.sub(lambda found: found.group(1) + _table() + found.group(2), PAGE.read_text()))
