"""A tiny vendor that is open for the length of a test, a desk to collect from it, and ledgers of either kind."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from engine.flow.ledger import Due, Ledger
from tests.flow.desk import Desk, Tiny
from tests.flow.mortal import Mortal, mortal


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


@pytest.fixture
def mortals(tmp_path: Path, vendor: Tiny) -> Iterator[Mortal]:
    with mortal(tmp_path, vendor) as opened:
        yield opened


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
