"""No secret of the vendor or of the sign-in is left anywhere, whatever goes wrong; and the search would find one."""

import base64
import html
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import polars as pl
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from engine.core.errors import EngineError
from engine.flow.raw import Meta, Segment
from engine.flow.report import Result
from tests.pipelines.apigee_run import Stage, opened
from tests.pipelines.secret_search import kept, search
from tests.vendors.apigee import Apigee
from tests.vendors.apigee_inventory import planted
from tests.vendors.server import Answer, Asked

pytestmark = pytest.mark.slow

SECRET = planted("consumerSecret", "looked for")


def everywhere(stage: Stage) -> list[tuple[str, str]]:
    """All that the engine left in its storage, said, printed or raised."""
    return [*kept(stage.storage), *((f"said {number}", text) for number, text in enumerate(stage.said))]


def foreign_key() -> str:
    """A private key that the vendor does not know."""
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*pem).decode()


def lines(pem: str) -> list[str]:
    """The lines of a private key, each a secret of its own."""
    return [line for line in pem.splitlines() if len(line) == 64]


# After a run


def test_a_whole_run_leaves_no_secret(ran: tuple[Stage, Result]) -> None:
    assert [] == search(ran[0].vendor.secrets(), everywhere(ran[0]))


def test_the_search_sees_every_kind_of_place(ran: tuple[Stage, Result]) -> None:
    stage, result = ran
    names = " ".join(name for name, _ in everywhere(stage))
    kinds = [".seg#0", "app_keys/", ".parquet#cells", "engine.db#rows", ".html#text", ".csv#text", ".jsonl#text"]
    kinds += ["run.json#text", "current.json#text", "said 0", *(Path(path).name for path in result.reports.values())]
    assert [] == [kind for kind in kinds if kind not in names]


def test_the_vendor_did_tell_its_secrets(ran: tuple[Stage, Result]) -> None:
    stage, _ = ran
    hashes = {row["key_hash"] for row in stage.rows("app_keys")}
    frames = "".join(text for name, text in kept(stage.storage) if "apps" in name and ".seg#" in name)
    assert (177, True, False) == (len(hashes), all(one in frames for one in hashes), "consumerSecret" in frames)


class Echo(Apigee):
    """Puts the token that it was sent where a planned answer says TOKEN."""

    def respond(self, asked: Asked) -> tuple[Answer, bool]:
        answer, reset = super().respond(asked)
        sent = asked.headers.get("authorization", "").partition(" ")[2]
        return replace(answer, body=answer.body.replace(b"TOKEN", sent.encode())), reset


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Result]]:
    """A run with records that do not fit, errors that repeat what was sent, and a token that dies."""
    with opened(tmp_path_factory.mktemp("troubled") / "storage", kind=Echo, max_page=7) as stage:
        vendor = stage.vendor
        app, action = dict(vendor.world.apps[0]), dict(vendor.world.actions("prod")[0])
        echo = "bad credential TOKEN"
        vendor.fault("GET .*/apps[?].*status=approved&keyStatus=approved", body=page("app", app, createdAt="soon"))
        vendor.fault("GET .*prod/securityActions", body=page("securityActions", action, createTime="soon"))
        vendor.fault("GET .*/envgroups[?]", status=400, body=json.dumps({"error": {"message": echo}}).encode())
        vendor.fault("GET .*/sharedflows", times=9, status=500, body=json.dumps({"error": {"message": echo}}).encode())
        vendor.fault("GET .*/apiproducts", times=9, body=f"<html>{echo}</html>".encode())
        vendor.fault("GET .*prod/securityIncidents", times=9, reset=True)
        vendor.fault("GET .*/environments$", times=1, status=401)
        vendor.kill_tokens(after=3)
        only = ["apps", "security_actions", "envgroups", "sharedflows", "apiproducts", "security_incidents"]
        yield stage, stage.run(only=only)


def page(name: str, record: dict[str, Any], **changes: Any) -> bytes:
    """An answer with one record that does not fit."""
    return json.dumps({name: [record | changes]}).encode()


def test_a_run_with_trouble_has_errors_and_quarantined_rows(troubled: tuple[Stage, Result]) -> None:
    stage, result = troubled
    broken = {made.name for made in result.tables if made.quarantined}
    missing = {one.endpoint for one in result.collections if one.missing}
    assert {"apps", "security_actions"} <= broken
    assert {"envgroups", "sharedflows", "apiproducts", "security_incidents"} == missing
    assert "bad credential ***" in str([one.missing for one in result.collections])
    assert {"apps", "security_actions"} <= {path.name for path in (stage.storage / "quarantine" / "apigee").iterdir()}


def test_a_run_with_trouble_leaves_no_secret(troubled: tuple[Stage, Result]) -> None:
    stage, _ = troubled
    assert [] == search(stage.vendor.secrets(), everywhere(stage))


class Parrot(Apigee):
    """A sign-in that repeats the assertion which it refuses."""

    def answer(self, asked: Asked) -> Answer:
        sent = dict(parse_qsl(asked.body.decode()))["assertion"]
        self.sign_in.assertions.append(sent)
        return Answer.json({"error": "invalid_grant", "error_description": f"Invalid JWT: {sent}"}, 400)


def test_a_sign_in_that_repeats_the_assertion_leaves_no_secret(tmp_path: Path) -> None:
    with opened(tmp_path / "storage", kind=Parrot) as stage:
        result = stage.collect("proxies")
        assert (3, True) == (result.exit_code, "Invalid JWT" in str(result.collections[0].missing))
        assert [] == search(stage.vendor.secrets(), everywhere(stage))


def test_a_refused_sign_in_leaves_no_secret(tmp_path: Path) -> None:
    with opened(tmp_path / "storage") as stage:
        wrong = foreign_key()
        stage.account |= {"private_key": wrong}
        result = stage.collect("proxies")
        assert (3, True) == (result.exit_code, "Invalid JWT Signature" in str(result.collections[0].missing))
        assert [] == search([*lines(wrong), *stage.vendor.secrets()], everywhere(stage))


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("a cut private key", lambda account: account | {"private_key": account["private_key"][:900]}),
        ("no private key", lambda account: account | {"private_key": None, "note": account["private_key"]}),
        ("a list", lambda account: [account["private_key"]]),
    ],
)
def test_a_spoiled_key_file_leaves_no_secret(name: str, spoil: Callable[[Any], Any], tmp_path: Path) -> None:
    with opened(tmp_path / "storage") as stage:
        stage.account = spoil(stage.account)
        assert finishes_badly(stage)
        assert [] == search(stage.vendor.secrets(), everywhere(stage))


def test_a_key_file_that_is_cut_off_leaves_no_secret(tmp_path: Path) -> None:
    with opened(tmp_path / "storage") as stage:
        text = json.dumps(stage.account)
        stage.environment = {"APIGEE_SERVICE_ACCOUNT_KEY": text[: text.index("client_email")]}
        assert finishes_badly(stage)
        assert [] == search(stage.vendor.secrets(), everywhere(stage))


def finishes_badly(stage: Stage) -> bool:
    """Whether the run says that something is wrong, by an error or by its exit code."""
    try:
        return stage.run(only=["proxies"]).exit_code != 0
    except EngineError:
        return True


# The search finds what is there


def in_a_frame(root: Path, text: str) -> None:
    segment = Segment(root / "raw_data" / "apigee" / "apps" / "r" / "u.1.seg")
    segment.append(Meta(0, "GET http://127.0.0.1/v1", "f", 0.0), b'{"app": [{"key": "' + text.encode() + b'"}]}')
    segment.close()


def in_the_request_of_a_frame(root: Path, text: str) -> None:
    segment = Segment(root / "raw_data" / "apigee" / "apps" / "r" / "u.1.seg")
    segment.append(Meta(0, f"GET http://127.0.0.1/v1?key={text}", "f", 0.0), b"{}")
    segment.close()


def in_a_cell(root: Path, text: str) -> None:
    place = root / "processed_data" / "apigee" / "apps" / "r" / "part-00000.parquet"
    place.parent.mkdir(parents=True)
    pl.DataFrame({"name": ["x"] * 500 + [text]}).write_parquet(place, compression="zstd")


def in_a_nested_cell(root: Path, text: str) -> None:
    place = root / "quarantine" / "apigee" / "apps" / "r" / "part-00000.parquet"
    place.parent.mkdir(parents=True)
    pl.DataFrame({"record": [{"keys": ["x", text]}]}).write_parquet(place, compression="zstd")


def in_the_ledger(root: Path, text: str) -> None:
    base = sqlite3.connect(root / "engine.db")
    base.execute("CREATE TABLE units (note TEXT)")
    base.execute("INSERT INTO units VALUES (?)", (text,))
    base.commit()
    base.close()


def in_a_file(name: str) -> Callable[[Path, str], None]:
    def plant(root: Path, text: str) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"something before {text} and behind")

    return plant


PLACES: dict[str, Callable[[Path, str], None]] = {
    "frame": in_a_frame,
    "request": in_the_request_of_a_frame,
    "cell": in_a_cell,
    "quarantine": in_a_nested_cell,
    "ledger": in_the_ledger,
    "log": in_a_file("logs/errors.jsonl"),
    "html": in_a_file("reports/apigee/r/posture.html"),
    "csv": in_a_file("reports/apigee/r/keys.csv"),
    "jsonl": in_a_file("reports/apigee/r/keys.jsonl"),
}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, one byte on": lambda text: base64.b64encode(b"?" + text.encode() + b"!").decode(),
    "base64, two bytes on": lambda text: base64.b64encode(b"id" + text.encode() + b"..").decode(),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(b"u:" + text.encode()).decode(),
    "URL": quote_plus,
    "JSON": lambda text: json.dumps(text).replace("/", "\\/"),
    "HTML": lambda text: html.escape(text).replace("+", "&#43;"),
    "hex": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_secret_is_found_in_every_place(place: str, tmp_path: Path) -> None:
    PLACES[place](tmp_path, SECRET)
    assert [SECRET] == sorted({hit.partition(": ")[2] for hit in search([SECRET, "unrelated"], kept(tmp_path))})


@pytest.mark.parametrize(
    ("place", "spelling"), [(p, s) for p in ("html", "frame") for s in SPELLINGS if p == "html" or s != "HTML"]
)
def test_a_planted_secret_is_found_in_every_spelling(place: str, spelling: str, tmp_path: Path) -> None:
    PLACES[place](tmp_path, SPELLINGS[spelling](SECRET))
    assert [SECRET] == sorted({hit.partition(": ")[2] for hit in search([SECRET, "unrelated"], kept(tmp_path))})


def test_a_secret_that_was_said_is_found(ran: tuple[Stage, Result]) -> None:
    stage = Stage(ran[0].vendor, ran[0].storage, ran[0].hours, [f"PageKept({SECRET})"])
    assert [f"said 0: {SECRET}"] == search([SECRET], everywhere(stage))
