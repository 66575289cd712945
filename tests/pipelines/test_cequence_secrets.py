"""No secret of the tenant, no name and no address of a caller is left anywhere, whatever goes wrong."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.core.errors import EngineError
from tests.pipelines.apigee_run import Hours
from tests.pipelines.cequence_run import Stage, opened
from tests.pipelines.secret_search import kept, search
from tests.vendors.cequence import Cequence
from tests.vendors.cequence_inventory import Inventory, planted
from tests.vendors.server import Answer, Asked

pytestmark = pytest.mark.slow


def everywhere(stage: Stage) -> Iterator[tuple[str, str]]:
    """All that the engine left in its storage, said, printed or raised; workbooks unzipped."""
    yield from kept(stage.storage)
    yield from ((f"said {number}", text) for number, text in enumerate(stage.said))
    for path in sorted(stage.storage.rglob("*.xlsx")):
        with zipfile.ZipFile(path) as book:
            yield from ((f"{path.name}#{name}", book.read(name).decode("latin-1")) for name in book.namelist())


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A whole run with OAuth2, and one behind it with the key. Only to be looked at."""
    with opened(tmp_path_factory.mktemp("cequence") / "storage") as stage:
        stage.run()
        stage.sign_in = "api_key"
        stage.run()
        yield stage


def test_two_whole_runs_leave_no_secret(ran: Stage) -> None:
    assert [] == search(ran.vendor.secrets(), everywhere(ran))


def test_the_tenant_and_the_files_did_tell_names_and_addresses(ran: Stage) -> None:
    inventory = Inventory()
    assert (True, True) == (len(inventory.secrets()) > 80, inventory.secrets()[0] in _files(ran.events))


def _files(folder: Path) -> str:
    return "".join(path.read_text() for path in folder.iterdir())


def test_the_search_sees_every_kind_of_place(ran: Stage) -> None:
    names = " ".join(name for name, _ in everywhere(ran))
    kinds = [".seg#0", ".parquet#cells", "engine.db#rows", ".html#text", ".csv#text", ".xlsx#xl/worksheets", "said 0"]
    assert [] == [kind for kind in kinds if kind not in names]


def test_a_secret_in_a_workbook_would_be_found(tmp_path: Path) -> None:
    with opened(tmp_path / "storage") as stage:
        stage.storage.mkdir()
        with zipfile.ZipFile(stage.storage / "book.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
            book.writestr("xl/sharedStrings.xml", f"<t>{planted('username', 1)}</t>")
        assert [f"book.xlsx#xl/sharedStrings.xml: {planted('username', 1)}"] == search(
            [planted("username", 1)], everywhere(stage)
        )


class Echo(Cequence):
    """Repeats in its refusals what it was sent."""

    def respond(self, asked: Asked) -> tuple[Answer, bool]:
        answer, reset = super().respond(asked)
        if answer.status == 200:
            return answer, reset
        sent = [asked.headers.get("authorization", ""), asked.headers.get("x-api-key", ""), asked.body.decode()]
        return Answer.json({"error": "refused", "error_description": " ".join(sent)}, answer.status), reset


@pytest.mark.parametrize("sign_in", ["oauth2", "api_key", "bearer"])
def test_refusals_that_repeat_what_was_sent_leave_no_secret(sign_in: str, tmp_path: Path) -> None:
    inventory = Inventory()
    with Echo(inventory) as vendor:
        stage = Stage(vendor, tmp_path / "storage", Hours(inventory.now), sign_in=sign_in)
        vendor.fault("GET .*/policies", times=9, status=400)
        vendor.fault("GET .*/endpoints", times=9, status=401)
        vendor.fault("POST .*/token", times=1, status=401)
        try:
            stage.run(only=["policies", "runtime_endpoints"])
        except EngineError as error:
            stage.said.append(str(error))
        assert [] == search(vendor.secrets(), everywhere(stage))


def test_events_that_do_not_fit_leave_no_name_behind(tmp_path: Path) -> None:
    with opened(tmp_path / "storage") as stage:
        secret = planted("username", "broken")
        line = f'{{"host": "no host!", "path": "/x", "response_code": "soon", "username": "{secret}"}}\n'
        (stage.events / "broken.jsonl").write_text(line)
        result = stage.run(only=["events"])
        assert ({"events": 1}, []) == (
            {made.name: made.quarantined for made in result.tables if made.quarantined},
            search([*stage.vendor.secrets(), secret], everywhere(stage)),
        )
