"""Templates keep types, refuse what is unsafe or unclear, and say where the mistake is."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from engine.core.errors import Mistake
from engine.core.template import Reference, Template, check_references, compile, render
from engine.core.values import Secret

SCOPE: dict[str, Any] = {
    "api": {
        "id": "a/b c",
        "items": "a key",
        "dashed-name": "dash",
        "null": None,
        "tags": ["x", 1],
        "owner": {"email": "o@example.com"},
        "ok": True,
        "score": 1.5,
        "version": "1.10",
        "dots": "..",
    },
    "run": {"started_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)},
    "secret": {"token": Secret("s3cret", "token")},
    "kind": "email",
}


def mistake(text: str, **options: Any) -> Mistake:
    with pytest.raises(Mistake) as caught:
        render(text, SCOPE, **options)
    return caught.value


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("a/b c", "${api.id}"),
        ("/apis/a/b c/x", "/apis/${api.id}/x"),
        ("email", "${ kind }"),
        ("1.10", "${api.version}"),
        (["x", 1], "${api.tags}"),
        (None, "${api.null}"),
        (True, "${api.ok}"),
        (1.5, "${api.score}"),
        ({"email": "o@example.com"}, "${api.owner}"),
        ("v=1.5, true", "v=${api.score}, ${api.ok}"),
        ("a key", "${api.items}"),
        ("dash", "${api['dashed-name']}"),
        ("x", "${api.tags[0]}"),
        (1, '${ {"k": 1}.k }'),
        ("email #1", "${ kind ~ ' #1' }"),
        ("}", "${'}'}"),
        ("true!", "${ api.ok ~ '!' }"),
        ("yes", "${'yes' if api.ok else 'no'}"),
        (None, "${'yes' if not api.ok}"),
        (3.0, "${api.score * 2}"),
        ("${name} email", "$${name} ${kind}"),
        ("no template\r\n", "no template\r\n"),
        ("a\r\nemail", "a\r\n${kind}"),
        ("{% x", "{% x"),
    ],
)
def test_a_template_gives(expected: object, text: str) -> None:
    assert expected == render(text, SCOPE)


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("YS9iIGM=", "${api.id|base64}"),
        ("0c83f57c786a0b4a39efab23731c7ebc", "${kind|hash('md5')}"),
        ("0C83F57C786A0B4A39EFAB23731C7EBC", "${kind|hash('md5', 'HEX')}"),
        ("qIt9zRqePhd3C7qm11FbMaLX6F0=", "${kind|hash('sha1', 'base64')}"),
        ("giREF_lWrHxZnxkVk_fkQaT6-iCkFY_VLhVPHcTI7ZI", "${kind|hash('sha256', 'base64url')}"),
        ("EMAIL", "${kind|upper}"),
        ("email", "${kind|upper|lower}"),
        ("a/b%20c", "${api.id|path}"),
        ("x,1", "${api.tags|join(',')}"),
        ("d", "${api.null|default('d')}"),
        ("d", "${api.nowhere.deep|default('d')}"),
        ("01/02/2026 03:04", "${run.started_at|date('%m/%d/%Y %H:%M')}"),
        ("2026-01-02T03:04:05Z", "${run.started_at|date}"),
    ],
)
def test_a_filter_gives(expected: object, text: str) -> None:
    assert expected == render(text, SCOPE)


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T01:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))),
        ("2026-01-02T03:04:05.250Z", datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.000001Z", datetime(2026, 1, 2, 3, 4, 5, 1, tzinfo=UTC)),
        ("2026-01-02", date(2026, 1, 2)),
    ],
)
def test_a_time_is_written_as_rfc_3339_in_utc(expected: str, value: date) -> None:
    assert expected == render("${at}", {"at": value})
    assert f"at {expected}" == render("at ${at}", {"at": value})


def test_a_number_is_written_as_its_source_wrote_it() -> None:
    class Written(float):
        def __str__(self) -> str:
            return "1.10"

    assert "v1.10" == render("v${n}", {"n": Written(1.1)})


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ("/apis/a%2Fb%20c/x", "/apis/${api.id}/x"),
        ("/apis/a/b%20c/x", "/apis/${api.id|path}/x"),
        ("a%2Fb%20c", "${api.id}"),
        ("1.5", "${api.score}"),
        ("a b/", "a b/"),
    ],
)
def test_in_a_path_values_are_encoded(expected: str, text: str) -> None:
    assert expected == render(text, SCOPE, where="path")


@pytest.mark.parametrize("text", ["/x/${api.dots}", "/x/${api.dots|path}", "/x/${'a/../b'|path}"])
def test_a_value_cannot_climb_out_of_its_path(text: str) -> None:
    assert "another path" in mistake(text, where="path").message


def test_a_secret_shows_its_name_only() -> None:
    assert "Bearer <secret token>" == render("Bearer ${secret.token}", SCOPE)
    assert "<secret token>" == str(render("${secret.token}", SCOPE))
    assert "<secret token>" == str(render("${secret.token|base64}", SCOPE))
    assert "<secret token>" == str(render("${secret.token|hash('md5')}", SCOPE))
    assert "x<secret token>" == render("${'x' ~ secret.token}", SCOPE)
    assert "/<secret token>" == render("/${secret.token}", SCOPE, where="path")


def test_a_secret_is_revealed_on_demand() -> None:
    assert "Bearer s3cret" == render("Bearer ${secret.token}", SCOPE, reveal=True)
    assert "s3cret" == render("${secret.token}", SCOPE, reveal=True)
    assert "czNjcmV0" == render("${secret.token|base64}", SCOPE, reveal=True)
    assert "xs3cret" == render("${'x' ~ secret.token}", SCOPE, reveal=True)
    assert {"token": "s3cret"} == render("${secret}", SCOPE, reveal=True)


@pytest.mark.parametrize(
    ("offset", "message", "fix", "text"),
    [
        (5, 'api has no "idd"; did you mean "id"?', "known are: dashed-name, dots, id", "ab ${api.idd}"),
        (3, 'there is no "apo" here; did you mean "api"?', "known are: api, kind", "a${apo.id}"),
        (2, 'api.owner has no "mail"; did you mean "email"?', "known are: email", "${api.owner.mail}"),
        (2, 'api.null is null and has no "x"', "write ${api.null.x|default('…')}", "${api.null.x}"),
        (3, "api.null is null, which cannot stand inside a text", "write ${api.null|default('…')}", "x${api.null}"),
        (3, "api.tags is a list, which cannot stand inside a text", "write ${api.tags|join('…')}", "x${api.tags}"),
        (3, "api.owner is an object, which cannot stand inside a text", "", "x${api.owner}"),
        (2, "api.null is null, which cannot stand inside a text", "write", "${api.null ~ 'x'}"),
        (4, 'api has no "idd"', "known are", "${ [api.idd] }"),
        (1, "date is for times only", "take the value as it is", "x${kind|date}"),
        (1, "join is for lists only", "leave", "x${kind|join(',')}"),
        (0, "cannot be worked out", "", "${api.score + kind}"),
        (0, "cannot be worked out", "", "${1 / 0}"),
        (2, 'api has no "__class__"', "known are", "${api.__class__}"),
        (2, 'api.id is a text and has no "__class__"', "write", "${api.id.__class__}"),
        (2, 'there is no "self" here', "known are", "${self}"),
    ],
)
def test_rendering_refuses(offset: int, message: str, fix: str, text: str) -> None:
    found = mistake(text)
    assert ("template", offset) == (found.code, found.offset)
    assert message in found.message
    assert found.fix.startswith(fix)


@pytest.mark.parametrize(
    ("offset", "message", "text"),
    [
        (2, "this ${ is not closed", "a ${b"),
        (0, "cannot read this template", "${}"),
        (0, '"b" does not belong here', "${a b}"),
        (4, "unexpected char '&'", "${a & b}"),
        (7, 'no filter is called "uper"; did you mean "upper"?', "ab ${a|uper}"),
        (12, 'no filter is called "uper"', "x ${a.b\r\n | uper}"),
        (4, "templates call nothing", "${a.b()}"),
        (2, "templates call nothing", "${range(9)}"),
        (4, "templates call nothing", "${(a)()}"),
        (4, "templates have no powers", "${9 ** 9}"),
        (0, "templates repeat no text and no list", "${'a' * 9}"),
        (0, "templates repeat no text and no list", "${9 * ['a']}"),
        (0, '"${-" is not known here', "${-a}"),
        (4, '"-}" is not known here', "${a -}"),
        (1, "templates have no statements", "x{% if a %}b{% endif %}"),
        (0, "no test", "${a is none}"),
        (0, "no slice", "${a[1:2]}"),
        (0, "with nothing but constants", "${a|default(b)}"),
        (0, "write ${name|join(',')}", "${a|join}"),
        (0, "hashes are md5, sha1,", "${a|hash('crc32')}"),
        (0, "written as hex, HEX,", "${a|hash('md5', 'b64')}"),
        (0, "write ${name|hash('sha256')}", "${a|hash}"),
        (0, '"%Q" is no form of date', "${a|date('%Q')}"),
        (0, '"%99999999d" is no form of date', "${a|date('%99999999d')}"),
    ],
)
def test_compiling_refuses(offset: int, message: str, text: str) -> None:
    with pytest.raises(Mistake) as caught:
        Template.read(text)
    assert offset == caught.value.offset
    assert message in f"{caught.value.message} {caught.value.fix}"


@pytest.mark.parametrize(
    "text",
    [
        "${" + "(" * 999 + "a" + ")" * 999 + "}",
        "${" + "not " * 999 + "a}",
        "${" + "[" * 900,
        "${kind" + "|base64" * 200 + "}",
        "${kind" + " ~ kind" * 999 + "}",
        "${'%999999999d' % 1}",
        "${api.version * 999999999}",
        "${api.tags * 999999999}",
        "${" + "9" * 5000 + "}",
        "${kind|upper}" * 9999,
        "${" * 99999,
        "{% " * 99999 + "${",
    ],
)
def test_a_hostile_template_is_refused_at_once(text: str) -> None:
    before = time.perf_counter()
    mistake(text)
    assert time.perf_counter() - before < 1


def test_a_mistake_with_a_secret_revealed_is_told_alike() -> None:
    found = mistake("${secrt.token}", reveal=True)
    assert 'there is no "secrt" here; did you mean "secret"?' == found.message


def test_references_are_listed_with_their_places() -> None:
    compiled = compile("/${api.id}/${ param['x-y'].z|default('a.b') ~ kind }")
    assert (
        Reference("api", ("id",), 3),
        Reference("param", ("x-y", "z"), 14),
        Reference("kind", (), 46),
    ) == compiled.references


def test_one_template_and_nothing_else_is_whole() -> None:
    assert [True, True, False, False] == [compile(text).whole for text in ("${a}", "${ a|upper }", " ${a}", "a")]


def test_a_text_that_reads_no_name_is_constant() -> None:
    assert [True, True, True, False] == [compile(text).constant for text in ("a", "$${a}", "${'a'}", "${a}")]


def test_check_references_finds_every_unknown_name() -> None:
    known = {"param": frozenset({"tenant"}), "api": None, "kind": frozenset[str]()}
    text = "${parm.tenant} ${param.tenent} ${api.any.thing} ${kind} ${param.tenant}"
    found = [(found.offset, found.message) for found in check_references(text, known)]
    assert [
        (2, 'there is no "parm" here; did you mean "param"?'),
        (17, 'param has no "tenent"; did you mean "tenant"?'),
    ] == found


def test_check_references_gives_the_syntax_error_of_a_text() -> None:
    assert [0] == [found.offset for found in check_references("${a b}", {"a": None})]


def test_jinja_is_imported_only_where_a_template_is_more_than_a_name() -> None:
    code = (
        "import sys; from engine.core.template import render; render('a ${b.c} $${d}', {'b': {'c': 1}});"
        "print('jinja2' in sys.modules)"
    )
    assert "False" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    "call", ["upper", "path", "default('x')", "date('%Y')", "date", "join('~')", "hash('md5')", "base64"]
)
@pytest.mark.parametrize("value", ["a/b", None, ["a", 1], datetime(2026, 1, 2, tzinfo=UTC), {}])
def test_a_filter_that_is_read_without_jinja_gives_what_jinja_gives(call: str, value: Any) -> None:
    # The braces make it more than a name.
    assert _filled(f"${{(a.b)|{call}}}", value) == _filled(f"${{a.b|{call}}}", value)


@pytest.mark.parametrize("call", ["nope", "date('%Q')", "join", "hash('md4')", "upper('x')"])
def test_a_filter_that_is_not_plain_is_refused_as_by_jinja(call: str) -> None:
    with pytest.raises(Mistake) as ours:
        compile(f"${{a.b|{call}}}")
    with pytest.raises(Mistake) as theirs:
        compile(f"${{(a.b)|{call}}}")
    assert (str(theirs.value), theirs.value.fix) == (str(ours.value), ours.value.fix)


def _filled(text: str, value: Any) -> str:
    try:
        return repr(render(text, {"a": {"b": value}}))
    except Mistake as mistake:
        return str(mistake)
