"""What the section `connection` takes and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec.collect import Connection


def _connection(**more: Any) -> Connection:
    return Connection.model_validate({"base_url": "https://api.example.com", **more})


@pytest.mark.parametrize("host", ["files.acme.example", "*.acme.example", "127.0.0.1", "::1", "${param.host}"])
def test_a_host_or_all_below_one_may_be_allowed(host: str) -> None:
    assert [host] == _connection(allow_hosts=[host]).allow_hosts


BAD = ["*", "*.example", "*.*.example", "a.*.example", "*acme.example", "https://a.example", "a.example:443", "a/b", ""]


@pytest.mark.parametrize("host", BAD)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValidationError, match="is no host"):
        _connection(allow_hosts=[host])


@pytest.mark.parametrize(
    "proxy",
    [
        "http://proxy.example:8080",
        "${secret.proxy}",
        "${param.proxy}",
        "http://${secret.user}:${secret.password}@proxy.example",
    ],
)
def test_a_proxy_may_have_credentials_from_secrets(proxy: str) -> None:
    assert proxy == _connection(proxy=proxy).proxy


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:pass@proxy.example",
        "http://me@proxy.example",
        "http://${param.user}:${secret.password}@proxy.example",
        "http://${secret.user}:pass@proxy.example",
        "me:pass@proxy.example",
    ],
)
def test_credentials_of_a_proxy_that_are_written_out_are_refused(proxy: str) -> None:
    with pytest.raises(ValidationError, match="credentials stand in an address"):
        _connection(proxy=proxy)


def test_a_timeout_is_for_reading_and_for_all() -> None:
    timeout = _connection(timeout="7s").timeout
    assert ("10s", "7s", "7s") == (timeout.connect, timeout.read, timeout.request)


def test_a_timeout_may_be_said_step_by_step() -> None:
    timeout = _connection(timeout={"connect": "1s", "request": "5m"}).timeout
    assert ("1s", "30s", "5m") == (timeout.connect, timeout.read, timeout.request)
