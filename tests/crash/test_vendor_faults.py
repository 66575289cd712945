"""Each fault of a vendor: how the run ends, that no record is lost or there twice, and that the next run is whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.flow.report import Result
from tests.crash.vendor_faults import FAULTS, NUMBER, Fault, Stock
from tests.flow.desk import Desk

COLUMNS = {"id": {"path": "id", "type": "integer"}, "text": "text"}


@pytest.fixture
def vendor() -> Iterator[Stock]:
    with Stock() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, vendor: Stock) -> Desk:
    return Desk(tmp_path, vendor)


def _run(desk: Desk, fault: Fault) -> Result:
    keyed = {"key": "id", "validate": list(fault.rules)} if fault.rules else {}
    things = {"get": "/things", "records": "data", "paginate": fault.paginate or NUMBER}
    desk.time.now += 1
    place = desk.page({"things": things}, tables={"things": {"from": "things", "columns": COLUMNS, **keyed}})
    return desk.engine().run(place)


def _wanting(desk: Desk, vendor: Stock, apart: int) -> tuple[int, int]:
    """Records that are neither in the table nor set apart, and rows that are there more often than at the vendor."""
    sent = Counter(row["id"] for row in vendor.rows if isinstance(row, dict) and isinstance(row.get("id"), int))
    others = len(vendor.rows) - sent.total()
    rows: Any = desk.engine().table("acme", "things").collect()
    there: Counter[Any] = Counter(rows["id"].to_list())
    again = sum(count - 1 for count in sent.values())  # those of a key that came before, or the same once more
    lost = (sent - there).total() - again + others - max(0, apart - again)
    return max(0, lost), (there - sent).total()


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_vendor_loses_nothing_and_repeats_nothing(desk: Desk, vendor: Stock, name: str) -> None:
    fault = FAULTS[name]
    vendor.rows = fault.rows(vendor.rows) if fault.rows else vendor.rows
    vendor.wrong = fault.wrong
    result = _run(desk, fault)
    assert (fault.exit_code, fault.apart) == (result.exit_code, result.quarantined), result.as_json()
    if fault.exit_code != 3:
        assert (0, 0) == _wanting(desk, vendor, fault.apart)
    if fault.wrong:  # the vendor is mended
        vendor.wrong = None
        assert (0, (0, 0)) == (_run(desk, fault).exit_code, _wanting(desk, vendor, 0))


@pytest.mark.slow
def test_a_connection_that_is_refused_leaves_the_version_before_and_the_next_run_is_whole(
    desk: Desk, vendor: Stock
) -> None:
    assert 0 == _run(desk, Fault()).exit_code
    with Stock() as gone:
        pass
    broken = desk.page({"things": {"get": f"{gone.url}/things", "records": "data"}}, tables={})
    desk.time.now += 1
    assert 3 == desk.engine().run(broken).exit_code
    assert (0, 0) == _wanting(desk, vendor, 0)
    assert (0, (0, 0)) == (_run(desk, Fault()).exit_code, _wanting(desk, vendor, 0))


@pytest.mark.slow
def test_a_reset_in_the_middle_of_a_body_is_asked_for_again(desk: Desk, vendor: Stock) -> None:
    vendor.fault("page=3", reset=True)
    assert (0, (0, 0)) == (_run(desk, Fault()).exit_code, _wanting(desk, vendor, 0))
