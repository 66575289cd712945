"""The peers: their versions, and for each an environment of its own, made where it is not there yet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from measure import ROOT, say


@dataclass(frozen=True)
class Peer:
    """What is installed, pinned."""

    version: str
    packages: tuple[str, ...]


PEERS = {
    "dlt": Peer("dlt 1.31.0", ("dlt[parquet]==1.31.0", "orjson==3.13.0")),
    "airbyte": Peer("airbyte-cdk 7.39.1", ("airbyte-cdk==7.39.1",)),
    "singer": Peer("singer-sdk 0.54.9", ("singer-sdk[msgspec]==0.54.9",)),
}


@dataclass
class Envs:
    """The environments in a folder, named by what is in them."""

    folder: Path
    failed: set[str] = field(default_factory=set)

    def python(self, who: str) -> str:
        """The interpreter that has a peer; empty where it does not install, which is said once."""
        home = self.folder / PEERS[who].version.replace(" ", "-")
        python = home / "bin" / "python"
        if who in self.failed:
            return ""
        if not (home / "ready").exists():
            say(f"installing {PEERS[who].version}")
            try:
                self._make(home, python, PEERS[who].packages)
            except (OSError, subprocess.CalledProcessError) as error:
                told = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
                say(f"{PEERS[who].version} does not install here and is left out: {told[-1] if told else ''}")
                self.failed.add(who)
                return ""
            (home / "ready").touch()
        return str(python)

    def _make(self, home: Path, python: Path, packages: tuple[str, ...]) -> None:
        shutil.rmtree(home, ignore_errors=True)
        own = ROOT / ".uv" / "bin" / "uv"
        uv = str(own) if own.exists() else shutil.which("uv")
        if uv:
            # as dev.sh does: uv's own list of authorities knows nothing of a proxy that the system trusts
            env = {"UV_SYSTEM_CERTS": "1", **os.environ}
            _run([uv, "venv", "-q", "--python", sys.executable, str(home)], env)
            _run([uv, "pip", "install", "-q", "--compile-bytecode", "--python", str(python), *packages], env)
        else:
            _run([sys.executable, "-m", "venv", str(home)], dict(os.environ))
            _run([str(python), "-m", "pip", "install", "-q", "--compile", *packages], dict(os.environ))


def _run(words: list[str], env: dict[str, str]) -> None:
    subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
