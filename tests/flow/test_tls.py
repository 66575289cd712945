"""TLS: whom a connection trusts, what a client shows of itself, and what is wrong in plain words."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import CollectionError, ConfigError, SpecError
from engine.core.kinds import Certificate
from engine.core.values import Secret
from engine.flow.line import Patience
from engine.flow.trust import Trust
from tests.flow.certificates import Authority
from tests.flow.desk import Desk, of
from tests.flow.wire import answering, ask, json_answer, serving

OURS, OTHER = Authority(), Authority()
LONG = Patience(10, 10, 10)
TALK = answering(json_answer(b'[{"id": 1}]'))


def _asked(port: int, trust: Trust, **more: Any) -> int:
    return ask(f"https://127.0.0.1:{port}/things", LONG, trust=trust, **more).status


def _refusal(port: int, trust: Trust, **more: Any) -> CollectionError:
    with pytest.raises(CollectionError) as raised:
        _asked(port, trust, tries=5, **more)
    return raised.value


# --- whom it trusts


def test_a_host_of_an_authority_of_our_own_is_trusted_where_the_page_names_it(tmp_path: Path) -> None:
    with serving(TALK, OURS.serving(tmp_path, "127.0.0.1")) as port:
        assert 200 == _asked(port, Trust(more=(OURS.pem,)))


def test_several_authorities_may_stand_in_one_file(tmp_path: Path) -> None:
    with serving(TALK, OURS.serving(tmp_path, "127.0.0.1")) as port:
        assert 200 == _asked(port, Trust(more=(OTHER.pem + OURS.pem,)))


def test_a_connection_in_tls_is_used_again(tmp_path: Path) -> None:
    with serving(TALK, OURS.serving(tmp_path, "127.0.0.1")) as port:
        trust = Trust(more=(OURS.pem,))
        assert [200, 200] == [_asked(port, trust), _asked(port, trust)]


def test_an_unknown_authority_is_refused_with_a_mend(tmp_path: Path) -> None:
    with serving(TALK, OURS.serving(tmp_path, "127.0.0.1")) as port:
        error = _refusal(port, Trust(more=(OTHER.pem,)))
    assert "the certificate of 127.0.0.1 is signed by nobody who is trusted here" == error.message
    assert "connection.ca_file" in error.fix


def test_a_certificate_that_has_ended_is_refused(tmp_path: Path) -> None:
    with serving(TALK, OURS.serving(tmp_path, "127.0.0.1", days=-1)) as port:
        assert "the certificate of 127.0.0.1 has expired" == _refusal(port, Trust(more=(OURS.pem,))).message


@pytest.mark.parametrize(
    ("host", "words"), [("127.0.0.2", "is for other addresses"), ("other.example", "is for other addresses")]
)
def test_a_certificate_for_another_host_is_refused(tmp_path: Path, host: str, words: str) -> None:
    with serving(TALK, OURS.serving(tmp_path, host)) as port:
        error = _refusal(port, Trust(more=(OURS.pem,)))
    assert (f"the certificate of 127.0.0.1 {words}", "correct the host in base_url") == (error.message, error.fix)


def test_a_server_without_tls_is_named_so() -> None:
    with serving(lambda connection, over: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert "127.0.0.1 does not speak TLS on this port" == _refusal(port, Trust()).message


def test_what_is_wrong_with_tls_is_not_tried_again(tmp_path: Path, desk: Desk) -> None:
    with serving(TALK, OURS.serving(tmp_path, "127.0.0.1")) as port:
        result = desk.collect({"things": "/things"}, connection={"base_url": f"https://127.0.0.1:{port}"})
    assert ("incomplete", []) == (result.status, desk.time.waits)
    assert "is signed by nobody who is trusted here" in of(result, "things").missing[0]


# --- ca_file


def test_a_page_names_its_file_of_authorities(tmp_path: Path, desk: Desk) -> None:
    (tmp_path / "ca.pem").write_text(OURS.pem)
    with serving(TALK, OURS.serving(tmp_path, "127.0.0.1")) as port:
        connection = {"base_url": f"https://127.0.0.1:{port}", "ca_file": "ca.pem"}
        assert "succeeded" == desk.collect({"things": "/things"}, connection=connection).status


@pytest.mark.parametrize(("said", "error"), [("ca.pem", SpecError), ("${param.ca}", ConfigError)])
def test_a_file_of_authorities_that_is_not_there_is_told_before_anything_is_asked(
    desk: Desk, said: str, error: type[Exception]
) -> None:
    page: dict[str, Any] = {"connection": {"ca_file": said}, "params": {"ca": {"default": "ca.pem"}}}
    with pytest.raises(error, match=r"there is no file ca\.pem beside the page"):
        desk.collect({"things": "/things"}, **page)
    assert [] == desk.vendor.log


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_a_file_without_authorities_is_told_before_anything_is_asked(tmp_path: Path, desk: Desk, text: str) -> None:
    (tmp_path / "ca.pem").write_text(text)
    with pytest.raises(ConfigError, match=r"ca_file holds no certificates \(PEM\)"):
        desk.collect({"things": "/things"}, connection={"ca_file": "ca.pem"})
    assert [] == desk.vendor.log


# --- a client's certificate


CLIENT = OTHER.sign("client.example")


def _shown(key: str, password: str = "") -> Certificate:
    return Certificate(
        Secret(CLIENT.pem, "certificate"), Secret(key, "key"), Secret(password, "password") if password else None
    )


def _with_certificate(tmp_path: Path, certificate: Certificate | None) -> Any:
    context = OURS.serving(tmp_path, "127.0.0.1", known=OTHER.pem)
    trust = Trust(more=(OURS.pem,), certificate=certificate)
    with serving(TALK, context) as port:
        return _asked(port, trust, is_sign_in=True)


def test_a_certificate_is_shown_where_requests_are_signed(tmp_path: Path) -> None:
    assert 200 == _with_certificate(tmp_path, _shown(CLIENT.key_pem()))


def test_a_key_may_have_a_password(tmp_path: Path) -> None:
    assert 200 == _with_certificate(tmp_path, _shown(CLIENT.key_pem("opensesame"), "opensesame"))


def test_certificate_and_key_may_be_one_file(tmp_path: Path) -> None:
    place = CLIENT.write(tmp_path)
    place = place.rename(tmp_path / "client.pem")
    assert 200 == _with_certificate(tmp_path, Certificate(Secret(str(place), "certificate")))


def test_certificate_and_key_may_be_one_text(tmp_path: Path) -> None:
    assert 200 == _with_certificate(tmp_path, Certificate(Secret(CLIENT.pem + CLIENT.key_pem(), "certificate")))


def test_without_a_certificate_the_mend_names_mtls(tmp_path: Path) -> None:
    with pytest.raises(CollectionError) as raised:
        _with_certificate(tmp_path, None)
    assert "127.0.0.1 wants a certificate of the client" in raised.value.message
    assert "sign in with auth: mtls" == raised.value.fix


def test_a_certificate_is_not_shown_where_nothing_is_signed(tmp_path: Path) -> None:
    trust = Trust(more=(OURS.pem,), certificate=_shown(CLIENT.key_pem()))
    with serving(TALK, OURS.serving(tmp_path, "127.0.0.1", known=OTHER.pem)) as port:
        assert "wants a certificate of the client" in _refusal(port, trust).message


@pytest.mark.parametrize(
    "certificate",
    [
        _shown("no key"),
        _shown(OTHER.sign("client.example").key_pem()),
        _shown(CLIENT.key_pem("opensesame")),
        _shown(CLIENT.key_pem("opensesame"), "wrong"),
        Certificate(Secret("/no/such/file.pem", "certificate")),
    ],
    ids=["no key", "another key", "no password", "wrong password", "no file"],
)
def test_a_certificate_that_cannot_be_used_is_told_by_its_secrets(certificate: Certificate) -> None:
    with pytest.raises(ConfigError) as raised:
        Trust(certificate=certificate).check()
    assert '"certificate"' in raised.value.message
    assert "BEGIN" not in str(raised.value)


def test_the_files_that_tls_needs_are_nobody_elses_and_gone_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[tuple[str, int]] = []
    load = ssl.SSLContext.load_cert_chain

    def look(self: ssl.SSLContext, certfile: Path, keyfile: Path, password: str) -> None:
        seen.extend((place.name, place.stat().st_mode & 0o777) for place in (certfile.parent, certfile, keyfile))
        load(self, certfile, keyfile, password)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", look)
    Trust(certificate=_shown(CLIENT.key_pem())).check()
    assert [0o700, 0o600, 0o600] == [mode for _, mode in seen]
    assert [] == list(tmp_path.iterdir())
