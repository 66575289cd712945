"""`config.yaml`: where things are, with `${VARIABLE}` from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.app.config import Config, load
from engine.core.errors import Finding, SpecError


def _load(folder: Path, text: str, **env: str) -> Config:
    place = folder / "config.yaml"
    place.write_text(text)
    return load(place, env)


def _findings(folder: Path, text: str, **env: str) -> list[Finding]:
    with pytest.raises(SpecError) as raised:
        _load(folder, text, **env)
    return list(raised.value.findings)


def test_without_a_file_everything_is_as_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Config.model_validate({"pipelines_dir": "pipelines", "storage": "storage"}) == load(None, {})


def test_the_file_of_the_working_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.yaml").write_text("storage: here")
    monkeypatch.chdir(tmp_path)
    assert Path("here") == load(None, {}).storage


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=f"cannot be read: {os.strerror(2)}"):
        load(tmp_path / "config.yaml", {})


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    found = _load(tmp_path, "{ pipelines_dir: pages, storage: /var/data }")
    assert (tmp_path / "pages", Path("/var/data")) == (found.pipelines_dir, found.storage)


def test_an_empty_file_is_as_none(tmp_path: Path) -> None:
    assert tmp_path / "storage" == _load(tmp_path, "").storage


def test_a_folder_without_a_name_is_told(tmp_path: Path) -> None:
    [finding] = _findings(tmp_path, 'storage: ""\n')
    assert (1, "this is empty") == (finding.mark.line, finding.message)


def test_params_keep_their_types(tmp_path: Path) -> None:
    found = _load(tmp_path, "params: { acme: { n: 8, on: true, names: [a, b] } }")
    assert {"n": 8, "on": True, "names": ["a", "b"]} == found.params["acme"]


def test_variables_come_from_the_environment(tmp_path: Path) -> None:
    text = 'secrets: { acme: { key: "${KEY}" } }\nstorage: "${HOME_DIR}/data-${NAME}"'
    found = _load(tmp_path, text, KEY="hunter", HOME_DIR="/srv", NAME="a")
    assert ("hunter", Path("/srv/data-a")) == (found.secrets["acme"]["key"], found.storage)


def test_a_variable_that_is_not_set_leaves_a_secret_to_the_next_source(tmp_path: Path) -> None:
    assert {"acme": {}} == _load(tmp_path, 'secrets: { acme: { key: "${KEY}" } }').secrets


def test_a_variable_that_is_not_set_is_named_where_nothing_else_can_tell(tmp_path: Path) -> None:
    [finding] = _findings(tmp_path, 'params: {}\nstorage: "${DATA}/x"')
    assert ("the environment variable DATA is not set", "set DATA", 2, 10) == (
        finding.message,
        finding.fix,
        finding.mark.line,
        finding.mark.column,
    )


def test_an_unknown_word_is_named_with_its_place(tmp_path: Path) -> None:
    [finding] = _findings(tmp_path, "storag: x")
    assert ('unknown word "storag"; did you mean "storage"?', 1) == (finding.message, finding.mark.line)


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    assert 3 == len(_findings(tmp_path, 'a: 1\nb: 2\nstorage: "${DATA}"'))


def test_a_list_is_no_configuration(tmp_path: Path) -> None:
    assert 1 == len(_findings(tmp_path, "[a]"))


def test_a_secret_that_is_no_text_is_named_but_not_shown(tmp_path: Path) -> None:
    [finding] = _findings(tmp_path, "secrets:\n  acme:\n    key: 4711\n")
    assert ("secrets", "4711") != (finding.message, finding.fix)
    assert "4711" not in finding.message


@pytest.mark.parametrize(
    "text",
    [
        "secrets: { one: { token: 9912345 } }",
        "secrets:\n  one:\n    token: [SECRET-9912345]",
        "{ storage: x, secrets: { one: { token: 9912345 } } }",
        'secrets:\n  one:\n    token: "SECRET-9912345',
        "secrets:\n  one:\n    token: @9912345",
        "secrets:\n  one:\n    token: 'a\n  9912345' b\n",
        "secrets:\n  one:\n    9912345",
        "secrets:\n  one:\n    token: !9912345 x",
        "secrest: { one: { token: S-9912345 } }",
        "storage: x\n secrets: { one: { token: S-9912345 } }",
    ],
)
def test_a_mistake_near_a_secret_does_not_show_it(tmp_path: Path, text: str) -> None:
    found = _findings(tmp_path, text)
    said = [one.as_text() + str(one.as_json()) for one in found]
    assert (True, False) == (bool(said), any("9912345" in one for one in said))


def test_a_mistake_elsewhere_shows_its_line(tmp_path: Path) -> None:
    [finding] = _findings(tmp_path, "secrets: { one: { token: abc } }\nparams: { one: 8 }")
    assert "params: { one: 8 }" == finding.source


def test_a_list_for_a_path_is_told_in_words(tmp_path: Path) -> None:
    [finding] = _findings(tmp_path, "pipelines_dir: [a]")
    assert "a path is expected" == finding.message


# --- the database of the ledger

URL = "postgresql://engine:geheim@db.example:5432/engine?schema=acme"


def test_the_database_comes_from_the_environment_and_is_not_shown(tmp_path: Path) -> None:
    found = _load(tmp_path, "database_url: ${DATABASE_URL}", DATABASE_URL=URL)
    assert (URL, False) == (found.database_url, "geheim" in repr(found))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://engine:geheim@db/engine", 'database_url begins with "mysql"'),
        ("sqlite:///engine.db", 'database_url begins with "sqlite"'),
        ("geheim", "database_url begins with something else"),
        ("postgresql://engine:geheim@db:port/engine", "database_url has no host or port that can be read"),
        ("postgresql://engine:geheim@/engine", "database_url names no host"),
        ("postgresql://engine:geheim@db/engine?schema=A-b", 'database_url names the schema "A-b"'),
    ],
)
def test_an_address_that_is_none_is_told_without_its_password(tmp_path: Path, url: str, message: str) -> None:
    [found] = _findings(tmp_path, f"database_url: {url}")
    assert (True, 1, False) == (message in found.message, found.mark.line, "geheim" in found.as_text())


def test_another_storage_than_the_one_that_is_named_has_its_own_ledger(tmp_path: Path) -> None:
    found = _load(tmp_path, f"{{ storage: data, database_url: '{URL}' }}")
    assert (URL, "") == (found.of(tmp_path / "data").database_url, found.of(tmp_path / "other").database_url)
