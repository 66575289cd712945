"""The 42Crunch page only reads: it starts nothing, writes nothing, is given no token, and keeps no secret."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from engine.flow.report import Result
from tests.pipelines.crunch_run import PAGE, Stage, opened
from tests.pipelines.secret_search import kept, search
from tests.vendors.crunch_inventory import planted

# What starts an audit; what hands out the token of a scan; the contract whole; the oldest address of scans' tokens.
FORBIDDEN = re.compile(r"/assess$|/scanConfigurations|/scanToken|specfile")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Result]]:
    """The whole page, with answers that repeat the token, records that do not fit and reports that are refused."""
    with opened(tmp_path_factory.mktemp("crunch") / "storage") as stage:
        vendor = stage.vendor
        told = json.dumps({"code": 1, "message": f"bad key {vendor.token}"}).encode()
        vendor.fault("GET .*/users$", status=400, body=told)
        vendor.fault("GET .*/dataDictionaries$", times=9, body=f"<html>{vendor.token}</html>".encode())
        task = vendor.world.scans(vendor.world.apis[3])[0]["report"]["taskId"]
        spoiled = {**vendor.world.scan(vendor.world.apis[3], task), "summary": {"state": "finished", "exitCode": "x"}}
        body = json.dumps({"file": base64.b64encode(json.dumps(spoiled).encode()).decode()}).encode()
        vendor.fault(f"GET .*/scanReports/{task}", body=body)
        yield stage, stage.run()


# The log


def test_only_get_is_asked(ran: tuple[Stage, Result]) -> None:
    assert {"GET"} == {asked.method for asked, _ in ran[0].vendor.log}


def test_nothing_is_started_written_or_handed_out(ran: tuple[Stage, Result]) -> None:
    assert [] == ran[0].vendor.harm


def test_no_forbidden_address_is_asked(ran: tuple[Stage, Result]) -> None:
    assert [] == [asked.target for asked, _ in ran[0].vendor.log if FORBIDDEN.search(asked.target)]


def test_every_address_of_the_page_was_asked(ran: tuple[Stage, Result]) -> None:
    asked = {one.endpoint for one in ran[1].collections if one.pages or one.missing}
    assert set(yaml.load(PAGE.read_text(), Loader=yaml.CSafeLoader)["endpoints"]) == asked


# The page


def test_the_page_has_no_address_that_does_more_than_read() -> None:
    endpoints = yaml.load(PAGE.read_text(), Loader=yaml.CSafeLoader)["endpoints"]
    wrong = [
        n for n, e in endpoints.items() if set(e) & {"post", "body"} or FORBIDDEN.search(e["get"] + str(e.get("query")))
    ]
    assert (15, []) == (len(endpoints), wrong)


# What is left behind


def test_a_run_with_trouble_has_errors_and_a_quarantined_row(ran: tuple[Stage, Result]) -> None:
    _, result = ran
    missing = {one.endpoint for one in result.collections if one.missing}
    broken = {made.name for made in result.tables if made.quarantined}
    assert ({"collection_users", "data_dictionaries"}, True) == (
        missing - {"dictionary_formats"},
        "scan_report" in broken,
    )


def test_no_secret_is_left_anywhere(ran: tuple[Stage, Result]) -> None:
    assert [] == search(ran[0].vendor.secrets(), ran[0].everywhere())


def test_the_platform_did_tell_secrets(ran: tuple[Stage, Result]) -> None:
    stage, _ = ran
    task = stage.vendor.world.scans(stage.vendor.world.apis[9])[0]["report"]["taskId"]
    told = json.dumps(stage.vendor.world.scan(stage.vendor.world.apis[9], task))
    assert (True, True) == (planted("bearer", task) in told, planted("bearer", task) in stage.vendor.secrets())


def test_the_search_sees_decoded_reports(ran: tuple[Stage, Result]) -> None:
    frames = "".join(text for name, text in kept(ran[0].storage) if ".seg#" in name)
    assert ("injectionKeys" in frames, "operationsNoAuthentication" in frames) == (True, True)


def test_the_search_sees_the_cells_of_the_workbook(ran: tuple[Stage, Result]) -> None:
    texts = [text for name, text in kept(ran[0].storage) if ".xlsx#xl/" in name]
    assert [True, True] == [any(words in text for text in texts) for words in ("team-05 / services", "Gate failures")]


def test_a_planted_secret_is_found(ran: tuple[Stage, Result], tmp_path: Path) -> None:
    secret = ran[0].vendor.token
    (tmp_path / "x.csv").write_text(f"a,{secret}\n")
    assert ["x.csv", "x.csv#text"] == sorted(hit.partition(": ")[0] for hit in search([secret], kept(tmp_path)))
