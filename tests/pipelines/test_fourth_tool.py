"""The page of docs/fourth-tool.md works as it stands there, with no line of the engine changed for it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.app import Engine
from engine.app.config import Config
from engine.flow.report import Result
from tests.house.command import engine as command
from tests.pipelines.secret_search import kept, search
from tests.vendors.github import SECRET, TOKEN, GitHub

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "fourth-tool" / "github.yaml"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GitHub, Engine, Result]]:
    """The page run against the stand-in. Only to be looked at."""
    config = Config.model_validate({"storage": tmp_path_factory.mktemp("github") / "storage"})
    engine = Engine(config=config, env={"GITHUB_TOKEN": TOKEN}, emit=lambda event: None)
    with GitHub() as vendor:
        params = {"organization": "acme", "base_url": vendor.url, "rate_limit": "1000/s"}
        yield vendor, engine, engine.run(PAGE, params=params)


def test_the_page_lints_clean() -> None:
    assert [] == json.loads(command("lint", PAGE, "--format", "json").output)


def test_the_run_is_green_and_says_what_is_skipped(ran: tuple[GitHub, Engine, Result]) -> None:
    _, _, result = ran
    said = {words.partition(": ")[2] for one in result.collections for words in one.skipped}
    expected = {
        "code scanning never ran",
        "Code Security must be enabled for this repository to use code scanning.",
        "secret scanning is disabled",
    }
    assert ("succeeded", 0, expected) == (result.status, result.quarantined, said)


def test_all_repositories_are_there(ran: tuple[GitHub, Engine, Result]) -> None:
    vendor, engine, _ = ran
    expected = [(row["full_name"], row["visibility"], row["language"]) for row in vendor.repos()]
    rows = engine.table("github", "repos").collect()
    assert expected == rows.select("repo", "visibility", "language").rows()


def test_all_findings_of_living_repositories_are_there(ran: tuple[GitHub, Engine, Result]) -> None:
    vendor, engine, _ = ran
    expected = [
        (repo["full_name"], row["number"], row["state"], row["rule"]["security_severity_level"] or "warning")
        for repo in vendor.repos()
        if not repo["archived"] and repo["id"] % 7
        for row in vendor.alerts(repo["full_name"], "code")
    ]
    rows = engine.table("github", "code_alerts").collect()
    assert expected == rows.select("repo", "number", "state", "severity").rows()


def test_all_found_secrets_are_there_without_their_values(ran: tuple[GitHub, Engine, Result]) -> None:
    vendor, engine, _ = ran
    expected = [
        (repo["full_name"], row["number"], row["state"], row["validity"])
        for repo in vendor.repos()
        if not repo["archived"] and repo["id"] % 5
        for row in vendor.alerts(repo["full_name"], "secret")
    ]
    rows = engine.table("github", "secret_alerts").collect()
    assert expected == rows.select("repo", "number", "state", "validity").rows()
    assert [] == search([TOKEN, SECRET], kept(engine.config.storage))


def test_the_worst_repository_comes_first(ran: tuple[GitHub, Engine, Result]) -> None:
    _, engine, _ = ran
    first = engine.table("github", "open_alerts").collect().row(0, named=True)
    assert ("acme/service-001", 65, 43) == (first["repo"], first["secrets"], first["code_alerts"])


def test_the_page_runs_without_an_account(tmp_path: Path) -> None:
    answer = command("run", PAGE, "--simulate", "--storage", tmp_path / "storage")
    assert (0, True) == (answer.exit_code, "alerts.simulated.html" in answer.output)


def test_the_docs_show_the_commands_and_name_the_page() -> None:
    text = (ROOT / "docs" / "fourth-tool.md").read_text()
    assert "fourth-tool/github.yaml" in text
