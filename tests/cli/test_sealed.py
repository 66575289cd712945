"""An encrypted storage: all works as without a key, nothing plain is on the disk, and no other key opens it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from engine.flow.seal import is_sealed
from tests.cli.shop import THINGS, Desk, Shop
from tests.house.source import ROOT

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER = "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SEEN = ("tricycle-of-ada", "a-kite-of-grace")
REPORTS = """
  book: { excel: { Things: things } }
  open: { jsonl: { table: cheap, encrypt: false } }
"""


def _stocked(desk: Desk) -> None:
    desk.shop.things = [dict(one, name=name) for one, name in zip(THINGS, (*SEEN, "top"), strict=True)]
    page = desk.page("\nreports:\n", f"\nreports:{REPORTS}")
    page.write_text(page.read_text().replace("max: 10,", "max: 5,"))


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of one run with a key; one thing of the shop breaks a rule."""
    folder = tmp_path_factory.mktemp("behind")
    with Shop() as shop, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("ENCRYPTION_KEY", KEY)
        desk = Desk(folder, shop)
        _stocked(desk)
        assert 0 == desk.engine("run", "shop").return_value
    return folder / "storage"


@pytest.fixture
def sealed(desk: Desk, behind: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desk with a key, behind that run."""
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    _stocked(desk)
    shutil.copytree(behind, "storage")
    return desk


def _files() -> dict[str, bytes]:
    """Every file of the storage but the ledger and its journals."""
    there = (path for path in Path("storage").rglob("*") if path.is_file() and not path.name.startswith("engine.db"))
    return {str(path.relative_to("storage")): path.read_bytes() for path in there}


def _one(pattern: str) -> Path:
    [found] = Path("storage").glob(pattern)
    return found


def _fails(desk: Desk, *words: str) -> tuple[int, str]:
    """How a command ends, and what it says."""
    done = desk.engine(*words)
    return done.return_value, done.stderr


def test_every_file_is_sealed_but_those_that_say_so(sealed: Desk) -> None:
    plain = {name for name, content in _files().items() if not is_sealed(content) and not content.startswith(b"PARE")}
    run = _one("reports/shop/2*").name
    known = {"storage.json", "reports/shop/latest.json", f"reports/shop/{run}/open.jsonl", "logs/errors.jsonl"}
    assert {f"reports/shop/{run}/open.jsonl", "storage.json"} <= {name for name in plain if "lock" not in name} <= known


def test_no_record_value_is_in_any_file(sealed: Desk) -> None:
    found = {name for name, content in _files().items() for value in SEEN if value.encode() in content}
    assert {name for name in found if not name.endswith("open.jsonl")} == set()
    assert "open.jsonl" in str(found)  # the search does find


def test_show_gives_the_rows(sealed: Desk) -> None:
    shown = sealed.engine("show", "shop", "things", "--format", "csv").stdout
    assert ["id,name,price", "1,tricycle-of-ada,3.5", "3,top,"] == shown.splitlines()


def test_show_gives_the_quarantine(sealed: Desk) -> None:
    [row] = json.loads(sealed.engine("show", "shop", "things", "--quarantine", "--format", "json").stdout)
    assert ("range", "12.0") == (row["rule"], row["value"])


def test_raw_gives_the_kept_pages(sealed: Desk) -> None:
    kept = sealed.engine("raw", "shop", "things", "--page", "0", "--json").stdout
    assert SEEN[0] == json.loads(kept)["answer"]["items"][0]["name"]


def test_process_and_report_work_on_what_was_kept(sealed: Desk) -> None:
    assert [0, 0] == [sealed.engine(word, "shop").return_value for word in ("process", "report")]


def test_a_second_run_takes_the_place_of_the_first(sealed: Desk) -> None:
    sealed.shop.things = [dict(THINGS[0], name="another")]
    sealed.engine("run", "shop")
    assert "1,another,3.5" in sealed.engine("show", "shop", "things", "--format", "csv").stdout


@pytest.mark.parametrize("report", ["list.csv", "book.xlsx"])
def test_a_report_is_decrypted_wherever_it_lies(sealed: Desk, report: str) -> None:
    Path("mailed.enc").write_bytes(_one(f"reports/shop/*/{report}.enc").read_bytes())
    assert 0 == sealed.engine("decrypt", "mailed.enc", "--output", report).return_value
    found = pl.read_csv(report) if report == "list.csv" else pl.read_excel(report, sheet_name="Things")
    assert [SEEN[0], "top"] == found["name"].to_list()


def test_a_part_is_decrypted_to_a_parquet_file(sealed: Desk) -> None:
    sealed.engine("decrypt", str(_one("processed_data/shop/things/*/*.parquet")), "-o", "plain.parquet")
    assert [SEEN[0], "top"] == pl.read_parquet("plain.parquet")["name"].to_list()


def test_a_segment_is_decrypted_to_lines(sealed: Desk) -> None:
    lines = sealed.engine("decrypt", str(_one("raw_data/shop/things/*/*.seg"))).stdout.splitlines()
    assert [SEEN[0], "top"] == [json.loads(json.loads(line)["answer"])["items"][0]["name"] for line in lines]


def test_the_log_of_errors_is_decrypted(sealed: Desk) -> None:
    assert 2 == sealed.engine("run", "shop", "-p", "color2=x").return_value
    place = Path("storage/logs/errors.jsonl")
    assert "color2" not in place.read_text()
    assert "color2" in sealed.engine("decrypt", str(place)).stdout


def test_decrypt_of_a_damaged_file_leaves_none(sealed: Desk) -> None:
    kept = bytearray(_one("reports/shop/*/list.csv.enc").read_bytes())
    kept[-1] ^= 1
    Path("bad.enc").write_bytes(kept)
    assert 5 == _fails(sealed, "decrypt", "bad.enc", "--output", "list.csv")[0]
    assert not Path("list.csv").exists()


@pytest.mark.parametrize("words", [("run", "shop"), ("show", "shop"), ("raw", "shop", "things"), ("process", "shop")])
@pytest.mark.parametrize(
    ("key", "says"), [(None, "is encrypted, and no key is set"), (OTHER, "is encrypted with another key")]
)
def test_without_its_key_nothing_is_read_or_written(
    sealed: Desk, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], key: str | None, says: str
) -> None:
    before = _files()
    monkeypatch.setenv("ENCRYPTION_KEY", key or "")
    code, told = _fails(sealed, *words)
    assert (2, True, True, before) == (code, says in told, "set ENCRYPTION_KEY to the key" in told, _files())


def test_without_storage_json_it_is_still_known_to_be_encrypted(sealed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("storage/storage.json").unlink()
    assert 0 == sealed.engine("show", "shop", "things").return_value
    monkeypatch.setenv("ENCRYPTION_KEY", "")
    assert (2, True) == ((found := _fails(sealed, "run", "shop"))[0], "is encrypted, and no key is set" in found[1])


def test_a_plain_storage_is_not_opened_with_a_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.engine("run", "shop")
    monkeypatch.setenv("ENCRYPTION_KEY", KEY)
    code, told = _fails(desk, "show", "shop")
    assert (2, True) == (code, "storage is not encrypted, and a key is set" in told)


def test_a_passphrase_is_refused_with_the_reason(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_KEY", "open sesame")
    code, told = _fails(desk, "run", "shop")
    assert (2, True, False) == (code, "no passphrase" in told and "engine key" in told, "sesame" in told)


def test_the_key_may_stand_in_config_yaml(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", KEY)
    Path("config.yaml").write_text("encryption_key: ${OURS}\n")
    desk.engine("run", "shop")
    assert "encryption" in json.loads(Path("storage/storage.json").read_text())


def test_a_key_of_config_yaml_that_is_not_set_stops_all(desk: Desk) -> None:
    Path("config.yaml").write_text("encryption_key: ${OURS}\n")
    code, told = _fails(desk, "run", "shop")
    assert (2, True, False) == (code, "the environment variable OURS is not set" in told, Path("storage").exists())


def test_the_key_is_in_no_file(sealed: Desk) -> None:
    ledger = {path.name: path.read_bytes() for path in Path("storage").glob("engine.db*")}
    assert [] == [name for name, content in {**_files(), **ledger}.items() if KEY.encode()[:20] in content]


def test_each_key_that_is_printed_is_new(desk: Desk) -> None:
    one, other = (desk.engine("key").stdout for _ in range(2))
    assert (True, True) == (bool(re.fullmatch(r"[A-Za-z0-9+/]{43}=\n", one)), one != other)


DAMAGED = {
    "processed_data/shop/current.json": ("show", "shop", "things"),
    "processed_data/shop/things/*/*.parquet": ("show", "shop", "things"),
    "raw_data/shop/things/*/*.seg": ("raw", "shop", "things"),
    "quarantine/shop/things/*/*.parquet": ("show", "shop", "things", "--quarantine"),
}


@pytest.mark.parametrize("pattern", DAMAGED)
@pytest.mark.parametrize("at", [pytest.param(9, marks=pytest.mark.slow), 60, pytest.param(200, marks=pytest.mark.slow)])
def test_a_damaged_file_is_named(sealed: Desk, pattern: str, at: int) -> None:
    place = _one(pattern)
    content = bytearray(place.read_bytes())
    content[at] ^= 0x40
    place.write_bytes(content)
    code, told = _fails(sealed, *DAMAGED[pattern])
    assert (5, True, False) == (code, place.name in told, "Traceback" in told)


@pytest.mark.slow
def test_polars_puts_no_row_on_the_disk_where_memory_is_short(tmp_path: Path) -> None:
    script = """
import polars as pl
from engine.app import Engine
Engine.from_config(env={"ENCRYPTION_KEY": "%s"}).storage
rows = pl.LazyFrame({"a": range(2_000_000)}).with_columns(b=pl.col("a").hash().cast(pl.String))
rows.sort("b").group_by("b").agg(pl.col("a").sum()).sort("a").collect(engine="streaming")
"""
    short = {"POLARS_OOC_MEMORY_BUDGET_MB": "20", "POLARS_OOC_SPILL_MIN_BYTES": "1000", "POLARS_OOC_LOG_METRICS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script % KEY],
        cwd=tmp_path,
        env={**os.environ, **short, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"0.0"} == set(re.findall(r"file_mb\(written=([\d.]+)", done.stderr))
