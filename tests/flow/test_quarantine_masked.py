"""What a mask hides is in no column of quarantine, and cannot be guessed from the name of a row."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.flow.pages import Shop, made

MASKED = """
tables:
  things:
    from: things
    key: [ssn, at]
    mode: upsert
    columns: { ssn: { path: ssn }, at: { path: at, type: integer }, age: { path: age, type: integer } }
    validate: [{ range: { column: age, max: 9 } }]
    enrich: [{ mask: { column: ssn, with: last4 } }]
"""
SSNS = [{"ssn": "123-45-6789", "at": 1, "age": 10}, {"ssn": "987-65-4321", "at": 2, "age": "x"}, "555-44-3333"]


def test_the_key_of_a_record_that_does_not_fit_is_masked(tmp_path: Path) -> None:
    shop = Shop(tmp_path, MASKED)
    made(shop, SSNS)
    rows = list(shop.engine.quarantine("shop").rows())
    assert [{"ssn": "***", "at": 1}, {"ssn": "***", "at": 2}, None] == [row["key"] for row in rows]
    assert ["10", "x", "***"] == [row["value"] for row in rows]
    held = b"".join(shop.files("quarantine").values())
    assert not [one for one in (b"123-45", b"987-65", b"555-44") if one in held]


def test_a_name_in_quarantine_does_not_tell_what_is_masked_and_stays(tmp_path: Path) -> None:
    """Two storages name the same row in two ways: none of them is a hash that anybody could make of the row."""
    names, numbers = list[list[str]](), list[list[int]]()
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        shop = Shop(tmp_path / folder, MASKED)
        made(shop, SSNS)
        names.append([row["id"] for row in shop.engine.quarantine("shop").rows()])
        made(shop, SSNS)
        assert sorted(names[-1]) == sorted({row["id"] for row in shop.engine.quarantine("shop").rows()})
        places = sorted(shop.storage.glob("quarantine/shop/things/*/*.parquet"))
        numbers.append([number for place in places for number in pl.read_parquet(place)["about"]])
    assert not set(names[0]) & set(names[1])
    assert not set(numbers[0]) & set(numbers[1])
