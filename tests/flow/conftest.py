"""A tiny vendor that is open for the length of a test, a desk to collect from it, and ledgers of either kind."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from engine.flow.ledger import Due, Ledger
from tests.flow.desk import Desk, Tiny
from tests.flow.mortal import EVERY, Mortal, mother


@pytest.fixture
def vendor() -> Iterator[Tiny]:
    with Tiny() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, vendor: Tiny) -> Desk:
    return Desk(tmp_path, vendor)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a new ledger shall be, of either kind."""
    return tmp_path / "engine.db" if request.param == "sqlite" else request.getfixturevalue("postgres").new()


@pytest.fixture
def opened(place: Path | str) -> Iterator[Callable[..., Ledger]]:
    """Opens the ledger, as often as it is asked to."""
    ledgers: list[Ledger] = []

    def open_one(due: Due | None = None) -> Ledger:
        ledgers.append(Ledger(place, due))
        return ledgers[-1]

    yield open_one
    for ledger in ledgers:
        ledger.close()


@pytest.fixture(scope="session")
def parent() -> Iterator[subprocess.Popen[str]]:
    with mother() as opened:
        yield opened


@pytest.fixture
def mortals(tmp_path: Path, vendor: Tiny, parent: subprocess.Popen[str]) -> Mortal:
    return Mortal(tmp_path, vendor, parent)


@pytest.fixture(params=[(4,), pytest.param(EVERY, marks=pytest.mark.slow)], ids=["one", "every"])
def kills(request: pytest.FixtureRequest) -> Sequence[int]:
    """The numbers of the commit points to be killed at: one in the midst, where the slow tests try them all."""
    numbers: Sequence[int] = request.param
    return numbers


@pytest.fixture(scope="session")
def keys() -> Callable[[str], tuple[str, Any]]:
    """Algorithm of a JSON Web Token -> a private key as PEM, and its public key."""

    @cache
    def pair(algorithm: str) -> tuple[str, Any]:
        key: Any = (
            ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else rsa.generate_private_key(65537, 2048)
        )
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        return pem.decode(), key.public_key()

    return pair
