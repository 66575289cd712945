"""What a tenant does differently from what is assumed is set by params; what is not set right is told with the mend."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.errors import SpecError
from engine.flow.ledger import Collection
from engine.flow.report import Result
from tests.pipelines.apigee_run import by
from tests.pipelines.cequence_expected import collected
from tests.pipelines.cequence_run import Stage, opened
from tests.vendors.cequence import Shape
from tests.vendors.cequence_inventory import Inventory

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with opened(tmp_path / "storage") as fresh:
        yield fresh


def of(result: Result, endpoint: str) -> Collection:
    """What came of an endpoint."""
    return next(one for one in result.collections if one.endpoint == endpoint)


# Signing in


@pytest.mark.parametrize(("sign_in", "header"), [("api_key", "x-api-key"), ("bearer", "authorization")])
def test_a_key_does_without_a_client(sign_in: str, header: str, stage: Stage) -> None:
    stage.sign_in = sign_in
    assert (0, 9) == (stage.collect("policies").exit_code, len(Inventory().lists["policies"]))
    sent = {asked.headers[header].removeprefix("Bearer ") for asked, _ in stage.vendor.log}
    assert ({stage.vendor.api_key}, []) == (sent, stage.vendor.issued)


def test_the_token_is_asked_for_as_the_vendor_documents_it(stage: Stage) -> None:
    stage.collect("policies")
    [(asked, status)] = stage.vendor.asked("POST")
    assert (200, "/auth/realms/cequence/protocol/openid-connect/token") == (status, asked.path)


def test_only_the_secrets_of_the_chosen_sign_in_are_needed(stage: Stage) -> None:
    stage.sign_in = "api_key"
    with pytest.raises(SpecError) as refused:
        stage.collect("policies", sign_in="oauth2")
    assert {"CEQUENCE_CLIENT_ID", "CEQUENCE_CLIENT_SECRET"} == {
        word.strip(",") for word in str(refused.value).split() if word.startswith("CEQUENCE")
    }


def test_a_token_that_dies_is_renewed_once(stage: Stage) -> None:
    stage.vendor.fault("GET .*/policies[?]page=1", status=401)
    assert (0, 2) == (stage.collect("policies").exit_code, len(stage.vendor.issued))


def test_a_refused_client_is_told_in_the_vendors_words(stage: Stage) -> None:
    stage.vendor.client_id = "another"
    engine = stage.engine
    stage.vendor.client_id = "collector-1"
    result = engine.collect("cequence", params=stage.params, only=["policies"])
    assert (3, True) == (result.exit_code, "Invalid client or Invalid client credentials" in str(result.collections))


# Other shapes


SHAPES = {
    "another path": (Shape("/apisec/api/v9/endpoints"), {"path": "/v9/endpoints"}),
    "a whole address": (Shape("/elsewhere/list"), {"path": "{url}/elsewhere/list"}),
    "a bare list": (Shape("/apisec/api/e", records=""), {"path": "/e", "records": "@"}),
    "other fields": (
        Shape("/apisec/api/e", records="content", names={"host": "hostname", "path": "uri"}),
        {"path": "/e", "records": "content[].merge(@, {host: hostname, path: uri})"},
    ),
    "pages from 1": (Shape("/apisec/api/e", paging="pages_from_1"), {"path": "/e", "paging": "pages_from_1"}),
    "an offset": (Shape("/apisec/api/e", paging="offset"), {"path": "/e", "paging": "offset"}),
    "a cursor": (Shape("/apisec/api/e", paging="cursor"), {"path": "/e", "paging": "cursor"}),
    "one page": (Shape("/apisec/api/e", paging="none"), {"path": "/e", "paging": "none"}),
    "a size by another name": (Shape("/apisec/api/e", size_name="limit"), {"path": "/e?limit=500"}),
}


@pytest.mark.parametrize("case", SHAPES)
def test_another_shape_is_set_by_params(case: str, tmp_path: Path) -> None:
    shape, given = SHAPES[case]
    with opened(tmp_path / "storage", shapes={"runtime_endpoints": shape}) as stage:
        params = {f"runtime_endpoints_{name}": text.format(url=stage.vendor.url) if name == "path" else text
                  for name, text in given.items()}  # fmt: skip
        stage.publish("runtime_endpoints", **params)
        keys = [(row["host"], row["method"], row["path"]) for row in stage.rows("runtime_endpoints")]
    expected = by("host method path", collected(Inventory())["runtime_endpoints"])
    assert [(row["host"], row["method"], row["path"]) for row in expected] == sorted(keys)


def test_a_total_saves_the_empty_page_and_proves_that_nothing_is_missing(tmp_path: Path) -> None:
    shape = Shape("/apisec/api/policies", total="count")
    with opened(tmp_path / "storage", shapes={"policies": shape}) as stage:
        assert 2 == of(stage.collect("policies", paging_total="answer.count"), "policies").pages


def test_a_page_size_is_sent_and_may_be_cut_by_the_vendor(stage: Stage) -> None:
    collected = of(stage.collect("runtime_endpoints", page_size="500"), "runtime_endpoints")
    assert (52, 7) == (collected.rows, collected.pages)


# What is not set right


def test_a_list_that_begins_at_1_is_not_taken_for_one_that_begins_at_0(tmp_path: Path) -> None:
    shape = Shape("/apisec/api/policies", paging="pages_from_1")
    with opened(tmp_path / "storage", shapes={"policies": shape}) as stage:
        assert ("incomplete", 3) == (stage.collect("policies").status, stage.collect("policies").exit_code)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"policies_path": "/nowhere"}, ["status 404", "-p policies_path="]),
        ({"policies_records": "data.list"}, ["nothing at records: data.list", "-p policies_records="]),
    ],
    ids=["404", "another shape"],
)
def test_what_is_assumed_wrongly_says_how_to_set_it(params: dict[str, str], words: list[str], stage: Stage) -> None:
    result = stage.collect("policies", **params)
    told = json.dumps(result.as_json())
    assert (3, []) == (result.exit_code, [word for word in words if word not in told])


def test_html_instead_of_json_is_no_empty_list(stage: Stage) -> None:
    stage.vendor.html("GET .*/policies", times=9)
    result = stage.collect("policies")
    assert (3, True) == (result.exit_code, "HTML instead of JSON" in of(result, "policies").missing[0])


def test_records_of_another_kind_go_to_quarantine(stage: Stage) -> None:
    stage.publish("policies", policies_path="/inventory/endpoints")
    assert [] == stage.rows("policies")


def test_a_paging_that_does_not_exist_is_named_with_those_that_do(stage: Stage) -> None:
    with pytest.raises(SpecError) as refused:
        stage.collect("policies", policies_paging="pages")
    assert "the options are: pages_from_0, pages_from_1, offset, cursor, none" in str(refused.value)


# What is left out


def test_without_its_address_spyder_is_skipped_with_words(stage: Stage) -> None:
    params = {name: text for name, text in stage.params.items() if name != "spyder_base_url"}
    result = stage.engine.collect("cequence", params=params, only=["external_hosts"])
    words = ("set spyder_base_url to see what API Spyder found from outside",)
    assert (0, words) == (result.exit_code, result.collections[0].skipped)


def test_event_files_that_do_not_exist_are_no_empty_success(stage: Stage) -> None:
    result = stage.collect("events", event_files=str(stage.events / "nothing-*.jsonl"))
    assert ("incomplete", 3) == (result.status, result.exit_code)


def test_a_line_that_is_no_json_names_its_file(stage: Stage) -> None:
    (stage.events / "torn.jsonl").write_text('{"host": "api.acme.example", "path": "/ok"}\n{"host": "api.acm')
    result = stage.collect("events")
    assert (3, True) == (result.exit_code, "torn.jsonl" in " ".join(of(result, "events").missing))


def test_events_alone_need_no_sign_in(stage: Stage) -> None:
    stage.collect("events", sign_in="none")
    assert [] == stage.vendor.log
