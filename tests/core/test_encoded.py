"""Texts that hold something encoded: chains are undone exactly, or what is wrong is said without showing the value."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.decoding import Chain
from engine.core.encoded import NotEncoded, decoded, encoded
from engine.core.kinds import KINDS
from engine.core.registry import Registry

MOST = 1_000
REGISTRY = Registry({kind: f"engine.parts.{kind}" for kind in KINDS})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _chain(written: str) -> Chain:
    return Chain.read(written, REGISTRY)


def _unpacked(chain: str, value: Any) -> Any:
    """What the field `a` of a record holds."""
    return decoded({"a": value}, {"a": _chain(chain)}, MOST)["a"]


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    ("chain", "text", "value"),
    [
        ("json", '{"a": [1.5]}', {"a": [1.5]}),
        ("base64", _base64("grün".encode()), "grün"),
        ("base64+json", _base64(b'{"a": 1}'), {"a": 1}),
        ("base64+gzip", _base64(gzip.compress(b"x", mtime=0)), "x"),
        ("base64+gzip+json", _base64(gzip.compress(b"[1]", mtime=0) + gzip.compress(b" ", mtime=0)), [1]),
        ("base64+base64", _base64(_base64(b"x").encode()), "x"),
        ("base64+json", "eyJh\r\nIjog\nMX0=\n", {"a": 1}),
        ("base64+json", None, None),
        ("csv", "a,b\n1.10,08\n", [{"a": "1.10", "b": "08"}]),
        ("xml", "<a><b>1</b></a>", {"a": {"b": "1"}}),
    ],
)
def test_a_chain_is_undone(chain: str, text: Any, value: Any) -> None:
    assert value == _unpacked(chain, text)


@pytest.mark.parametrize(
    ("chain", "value", "says"),
    [
        ("base64", "secret!", "is no base64"),
        ("base64", "c2VjcmV", "is no base64"),
        ("base64", "gr\u00fcn", "is no base64"),
        ("base64", _base64(b"\xff"), "has a byte in line 1 (0xff at 0) that is no utf-8"),
        ("base64+csv", _base64(b"secret\n1,2"), "has 2 instead of 1 fields in row 2"),
        ("base64+xml", _base64(b"<secret>"), "is no XML, or not whole: no element found: line 1, column 8"),
        ("base64+json", _base64(b"{secret"), "holds no JSON"),
        ("json", "", "holds no JSON"),
        ("base64+gzip", _base64(b"secret"), "is no gzip, or not whole"),
        ("base64+gzip", _base64(gzip.compress(b"secret", mtime=0)[:-4]), "is no gzip, or not whole"),
        ("base64+gzip", _base64(gzip.compress(b"x" * 1_001, mtime=0)), "unpacks to more than 1,000 bytes"),
        ("json", 5, "is no text"),
        ("base64", {"secret": 1}, "is no text"),
    ],
)
def test_what_is_not_so_encoded_is_refused_and_not_shown(chain: str, value: Any, says: str) -> None:
    with pytest.raises(NotEncoded) as raised:
        _unpacked(chain, value)
    assert f"a {says} (decode_fields: {chain})" == str(raised.value)


def test_a_field_that_does_not_decode_is_named() -> None:
    with pytest.raises(NotEncoded, match=r"data\.body is no base64 \(decode_fields: base64\+json\)"):
        decoded({"data": {"body": "?"}}, {"data.body": _chain("base64+json")}, MOST)


def test_fields_in_lists_are_decoded_and_missing_ones_stay_missing() -> None:
    record = {"parts": [{"body": "[1]"}, {"body": None}, {}]}
    assert {"parts": [{"body": [1]}, {"body": None}, {}]} == decoded(record, {"parts[].body": _chain("json")}, MOST)


@pytest.mark.parametrize("chain", ["json", "base64+json", "base64+gzip+json", "base64+base64+json"])
@given(value=JSON)
def test_what_the_vendor_encodes_is_decoded_again(chain: str, value: Any) -> None:
    sent = encoded({"a": value, "b": 1}, {"a": _chain(chain)})
    assert value is None or isinstance(sent["a"], str)
    assert {"a": value, "b": 1} == json.loads(json.dumps(decoded(sent, {"a": _chain(chain)}, MOST)))
