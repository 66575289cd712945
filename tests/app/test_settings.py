"""Params and secrets from every source, typed, with all that is missing named at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.app.config import load
from engine.app.engine import registry
from engine.app.settings import look, settle
from engine.core.errors import ConfigError, Finding, Json, SpecError
from engine.core.values import Duration, Rate
from engine.flow.plan import Settings
from engine.spec.read import Source, read_page


def _source(folder: Path, **sections: Any) -> Source:
    connection = {"base_url": sections.pop("base_url", "https://a.example"), "auth": sections.pop("auth", "none")}
    endpoints = sections.pop("endpoints", {})
    page = {"version": 1, "tool": "acme", **sections, "connection": connection, "endpoints": endpoints}
    place = folder / "acme.yaml"
    place.write_text(json.dumps(page, indent=1))
    return read_page(place, registry())


def _settled(folder: Path, params: Any = None, secrets: Any = None, **sources: Any) -> Settings:
    given = {"given": {}, "config": {}, "secrets": {}, "env": {}, **sources}
    return settle(_source(folder, params=params or {}, secrets=secrets or {}), **given)


def _findings(folder: Path, params: Any = None, secrets: Any = None, **sources: Any) -> list[Finding]:
    with pytest.raises(SpecError) as raised:
        _settled(folder, params, secrets, **sources)
    assert 2 == raised.value.exit_code
    return list(raised.value.findings)


SOURCES = {"given": {"p": "from -p"}, "config": {"p": "from config"}, "env": {"ACME_P": "from env"}}


@pytest.mark.parametrize(
    ("there", "value"),
    [
        (["given", "config", "env"], "from -p"),
        (["config", "env"], "from config"),
        (["env"], "from env"),
        ([], "from default"),
    ],
)
def test_the_first_source_that_has_a_param_wins(tmp_path: Path, there: list[str], value: str) -> None:
    declared = {"p": {"env": "ACME_P", "default": "from default"}}
    assert value == _settled(tmp_path, declared, **{name: SOURCES[name] for name in there}).params["p"]


def test_an_empty_environment_variable_is_none(tmp_path: Path) -> None:
    declared = {"p": {"env": "ACME_P", "default": "d"}}
    assert "d" == _settled(tmp_path, declared, env={"ACME_P": ""}).params["p"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "1.10", "1.10"),
        ("integer", " 8 ", 8),
        ("number", "0.5", 0.5),
        ("boolean", "True", True),
        ("list", "a, b,,c", ["a", "b", "c"]),
        ("duration", "15m", Duration("15m")),
        ("rate", "10/s", Rate("10/s")),
        ("path", "~/x", "~/x"),
    ],
)
def test_each_type_reads_its_text(tmp_path: Path, kind: str, text: str, value: Json) -> None:
    found = _settled(tmp_path, {"p": {"type": kind}}, given={"p": text}).params["p"]
    assert (value, type(value)) == (found, type(found))


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("integer", "8.5", '"8.5" is not a whole number'),
        ("number", "many", '"many" is not a number'),
        ("boolean", "yes", '"yes" is not true or false'),
        ("duration", "15", '"15" is not a duration'),
        ("rate", "fast", '"fast" is not a rate'),
    ],
)
def test_a_text_of_another_type_is_named_with_its_source(tmp_path: Path, kind: str, text: str, words: str) -> None:
    [finding] = _findings(tmp_path, {"p": {"type": kind, "env": "ACME_P"}}, env={"ACME_P": text})
    assert 'param "p" (from ACME_P): ' in finding.message
    assert words in finding.message


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [("integer", 8, 8), ("boolean", True, True), ("string", 5, "5"), ("list", ["a", 1], ["a", "1"])],
)
def test_values_of_config_yaml_are_typed_too(tmp_path: Path, kind: str, value: Json, found: Json) -> None:
    assert found == _settled(tmp_path, {"p": {"type": kind}}, config={"p": value}).params["p"]


def test_a_list_may_have_a_separator_of_its_own(tmp_path: Path) -> None:
    found = _settled(tmp_path, {"p": {"type": "list", "split": ";"}}, given={"p": "a,b; c"})
    assert ["a,b", "c"] == found.params["p"]


def test_an_optional_param_may_be_null(tmp_path: Path) -> None:
    assert {"p": None} == dict(_settled(tmp_path, {"p": {"optional": True}}).params)


def test_a_default_may_name_params_that_stand_below_it(tmp_path: Path) -> None:
    declared = {
        "url": {"default": "https://${param.host}/v1"},
        "host": {"default": "${param.name}.example"},
        "name": {},
    }
    assert "https://eu.example/v1" == _settled(tmp_path, declared, given={"name": "eu"}).params["url"]


def test_a_value_that_was_given_is_no_template(tmp_path: Path) -> None:
    assert "${param.b}" == _settled(tmp_path, {"a": {}}, given={"a": "${param.b}"}).params["a"]


def test_all_that_is_missing_is_named_at_once_with_place_and_mend(tmp_path: Path) -> None:
    params = {"one": {"env": "ACME_ONE", "doc": "The host"}, "two": {"type": "integer"}, "three": {"type": "integer"}}
    secrets = {"key": {"env": "ACME_KEY", "doc": "Reads all"}}
    found = _findings(tmp_path, params, secrets, given={"three": "x"})
    assert ["missing-param", "missing-param", "param", "missing-secret"] == [finding.code for finding in found]
    assert 'param "one" is not set: The host' == found[0].message
    way = "params: { acme: { one: … } } in config.yaml"
    assert f"set it with -p one=…, or {way}, or the environment variable ACME_ONE" == found[0].fix
    assert (str(tmp_path / "acme.yaml"), 5) == (found[0].mark.file, found[0].mark.line)


def test_what_is_made_of_a_missing_param_is_not_told_of_again(tmp_path: Path) -> None:
    declared = {"host": {}, "url": {"default": "https://${param.host}"}}
    assert ['param "host" is not set'] == [finding.message for finding in _findings(tmp_path, declared)]


@pytest.mark.parametrize("source", ["given", "config"])
def test_a_param_that_the_page_does_not_have_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(ConfigError, match='the page has no param "tennant"; did you mean "tenant"'):
        _settled(tmp_path, {"tenant": {"default": "x"}}, **{source: {"tennant": "y"}})


def test_a_param_of_a_page_without_any_is_to_be_left_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        _settled(tmp_path, given={"foo": "1"})
    assert "leave it out: the page declares no params" == raised.value.fix


# --- choices and paths


AUTH = {
    "choose": {
        "by": "${param.way}",
        "options": {
            "key": {"api_key": {"key": "${secret.key}", "send": "header.X-Key"}},
            "token": {"bearer": {"token": "${secret.token}"}},
        },
    }
}
SECRETS = {"key": {"env": "ACME_KEY"}, "token": {"env": "ACME_TOKEN"}}


def _chosen(folder: Path, param: Any, **sources: Any) -> Settings:
    source = _source(folder, params={"way": param}, secrets=SECRETS, auth=AUTH)
    return settle(source, **{"given": {}, "config": {}, "secrets": {}, "env": {}, **sources})


def test_secrets_of_options_that_are_not_chosen_need_not_be_set(tmp_path: Path) -> None:
    assert ["token"] == list(_chosen(tmp_path, {"default": "token"}, env={"ACME_TOKEN": "t"}).secrets)


def test_secrets_of_the_chosen_option_must_be_set(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        _chosen(tmp_path, {"default": "token"}, given={"way": "key"}, env={"ACME_TOKEN": "t"})
    assert ['secret "key" is not set'] == [finding.message for finding in raised.value.findings]


def test_a_choice_of_no_option_is_named_and_no_secret_of_it(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        _chosen(tmp_path, {"default": "token"}, given={"way": "tokn"})
    [finding] = raised.value.findings
    assert 'param "way" is \'tokn\', which is no option here; did you mean "token"?' == finding.message
    assert "the options are: key, token" == finding.fix


def test_a_choice_that_nobody_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as raised:
        _chosen(tmp_path, {"optional": True})
    assert 'param "way" is None, which is no option here' in str(raised.value)


def test_a_param_that_stands_for_a_path_must_be_one(tmp_path: Path) -> None:
    source = _source(
        tmp_path, params={"p": {"default": "data"}}, endpoints={"x": {"get": "/x", "records": "${param.p}"}}
    )
    with pytest.raises(SpecError) as raised:
        settle(source, given={"p": "$.data"}, config={}, secrets={}, env={})
    [finding] = raised.value.findings
    assert ('param "p" stands for a path: "$" is JSONPath, not JMESPath', "param") == (finding.message, finding.code)


# --- secrets


def _secret(folder: Path, wanted: Any, given: Any = None, env: Any = None) -> str:
    source = _source(folder, params={}, secrets={"k": wanted})
    return settle(source, given={}, config={}, secrets=given or {}, env=env or {}).secrets["k"].reveal()


def test_a_secret_of_config_yaml_comes_first(tmp_path: Path) -> None:
    assert "config" == _secret(tmp_path, {"env": "ACME_K"}, {"k": "config"}, {"ACME_K": "env"})


def test_a_secret_may_stand_in_a_file_beside_the_page(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("hunter\n")
    assert "hunter" == _secret(tmp_path, {"file": "key.txt"})


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("file")
    assert "env" == _secret(tmp_path, {"file": "key.txt", "env": "ACME_K"}, env={"ACME_K": "env"})


def test_a_secret_may_be_the_path_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text('{"a": 1}')
    wanted = {"env": "ACME_K", "or_path": True}
    assert '{"a": 1}' == _secret(tmp_path, wanted, env={"ACME_K": str(tmp_path / "key.json")})


def test_a_secret_that_is_json_is_no_path(tmp_path: Path) -> None:
    assert '{"a": 1}' == _secret(tmp_path, {"env": "ACME_K", "or_path": True}, env={"ACME_K": '{"a": 1}'})


def test_a_secret_longer_than_any_name_of_a_file_is_no_path(tmp_path: Path) -> None:
    long = "k" * 5000
    assert long == _secret(tmp_path, {"env": "ACME_K", "or_path": True}, env={"ACME_K": long})


def test_an_optional_secret_may_be_absent(tmp_path: Path) -> None:
    assert {} == dict(_settled(tmp_path, secrets={"k": {"env": "ACME_K", "optional": True}}).secrets)


def test_a_missing_secret_is_named_with_every_way_to_set_it(tmp_path: Path) -> None:
    [finding] = _findings(tmp_path, secrets={"k": {"env": "ACME_K", "file": "key.txt"}})
    ways = (
        "the environment variable ACME_K, or the file key.txt, or secrets: { acme: { k: ${VARIABLE} } } in config.yaml"
    )
    assert f"set it with {ways}; to try the page without credentials, add --simulate" == finding.fix


def test_a_secret_that_the_page_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='the page has no secret "kee"; did you mean "key"'):
        settle(
            _source(tmp_path, params={}, secrets={"key": {"env": "ACME_K"}}),
            given={},
            config={},
            secrets={"kee": "x"},
            env={"ACME_K": "y"},
        )


def test_a_file_that_cannot_be_read_is_named_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "key.bin").write_bytes(b"hunter\xff")
    [finding] = _findings(tmp_path, secrets={"k": {"file": "key.bin"}})
    assert 'secret "k": the file it names cannot be read: UnicodeDecodeError' == finding.message


def test_settings_never_show_a_secret(tmp_path: Path) -> None:
    found = _settled(tmp_path, secrets={"k": {"env": "ACME_K"}}, env={"ACME_K": "hunter-4711"})
    assert "hunter-4711" not in f"{found} {found!r} {found.scope()}"


def test_a_mistake_elsewhere_never_shows_a_secret(tmp_path: Path) -> None:
    secrets = {"k": {"env": "ACME_K"}}
    found = _findings(tmp_path, {"n": {"type": "integer"}}, secrets, given={"n": "x"}, env={"ACME_K": "hunter-4711"})
    assert "hunter-4711" not in str(SpecError("", findings=found))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("http://us:pw-9912@a.example", "credentials stand in an address"),
        ("127.0.0.1:8765/v1", '"127.0.0.1:8765/v1" is no address of the web'),
        ("ftp://a.example", '"ftp://a.example" is no address of the web'),
        ("http://a.example:99999", "is no address of the web"),
    ],
)
def test_a_param_that_makes_no_address_is_named_with_its_source(tmp_path: Path, value: str, says: str) -> None:
    source = _source(tmp_path, base_url="${param.url}", params={"url": {"optional": True}})
    found = look(source, given={"url": value}, config={}, secrets={}, env={})
    [finding] = found.problems
    assert finding.message.startswith('param "url" (from -p): ')
    assert (True, False) == (says in finding.message, "pw-9912" in finding.as_text())
    assert found.settings.params["url"] is None


def test_a_variable_of_the_configuration_that_is_not_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text('secrets: { acme: { k: "${NOPE}" } }\nparams: { acme: { p: "${GONE}" } }')
    unset = load(tmp_path / "config.yaml", {}).unset("acme")
    said = _findings(tmp_path, {"p": {}}, {"k": {"env": "ACME_K"}}, unset=unset)
    takes = ["config.yaml takes it from GONE, which is not set", "config.yaml takes it from NOPE, which is not set"]
    assert [True, True] == [one in finding.message for one, finding in zip(takes, said, strict=True)]
