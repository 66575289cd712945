"""What is generated is fresh, and what a person can type is explained."""

import importlib
import subprocess
import sys

import click

from tests.house.source import ROOT


def _commands() -> dict[str, click.Command]:
    """The commands of `engine`, by name."""
    main = importlib.import_module("engine.cli.main")
    group = next(found for found in vars(main).values() if isinstance(found, click.Group))
    context = click.Context(group)
    commands = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in commands.items() if command}


def test_reference_and_schema_are_what_just_docs_writes() -> None:
    words = [sys.executable, "-m", "engine.spec.reference", "--check"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_each_command_has_help() -> None:
    assert [] == [name for name, command in _commands().items() if not command.help]


def test_each_command_stands_in_the_docs() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text() for page in pages)
    assert [] == [name for name in _commands() if f"engine {name}" not in text]
