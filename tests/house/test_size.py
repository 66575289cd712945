"""Files of at most 400 lines, functions of at most 50."""

from tests.house.source import Module, functions, modules


def _all() -> tuple[Module, ...]:
    return (*modules("engine"), *modules("tests"))


def test_files_have_at_most_400_lines() -> None:
    lines = {module.place: module.path.read_text().count("\n") for module in _all()}
    assert {} == {place: count for place, count in lines.items() if count > 400}


def test_functions_have_at_most_50_lines() -> None:
    lines = {
        f"{module.place}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for module in _all()
        for function in functions(module)
    }
    assert {} == {place: count for place, count in lines.items() if count > 50}
