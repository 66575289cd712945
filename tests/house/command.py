"""The command line as a person meets it: a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.house.source import ROOT

# What the installed `engine` does, so that the tests also run where it is not installed.
START = "import sys; sys.argv[0] = 'engine'; from engine.cli.main import main; sys.exit(main())"


@dataclass(frozen=True)
class Answer:
    """What a command left behind; `modules` are all that Python had loaded by its end."""

    exit_code: int
    output: str
    error: str

    @property
    def modules(self) -> set[str]:
        """Names from the lines `import time: self | cumulative | name`."""
        lines = [line for line in self.error.splitlines() if line.startswith("import time:")]
        return {line.rpartition("|")[2].strip() for line in lines}


def engine(*words: str | Path) -> Answer:
    """Run `engine` with these words at the root of the checkout, telling what it imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", START, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)
