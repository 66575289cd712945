"""What README says of the Python door."""

import importlib
from pathlib import Path

import polars as pl
import pytest

from engine.app import Engine
from engine.author.simulate import Simulator
from engine.core.errors import ConfigError
from tests.house.source import ROOT

APIGEE = ROOT / "pipelines" / "apigee.yaml"


def test_the_errors_can_be_imported_and_have_message_fix_and_mark() -> None:
    error = importlib.import_module("engine.app.errors").EngineError("what", "mend")
    assert ("what", "mend", None) == (error.message, error.fix, error.mark)


@pytest.mark.slow
def test_a_page_is_run_against_its_simulated_vendor(tmp_path: Path) -> None:
    engine = Engine.from_config(storage=tmp_path)
    result = engine.run(APIGEE, vendor=Simulator.of(engine, APIGEE), only=["environments"])
    assert (True, "succeeded") == (result.simulated, result.status)
    parts = list((tmp_path / "processed_data").rglob("*.parquet"))
    assert parts
    assert {"true"} == {pl.read_parquet_metadata(part).get("simulated") for part in parts}


@pytest.mark.parametrize(
    ("setting", "says"),
    [("simulate", "vendor=Simulator.of"), ("parms", 'did you mean "params"'), ("storage", "there are params, only")],
)
def test_a_setting_that_a_run_does_not_have_is_told(tmp_path: Path, setting: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Engine.from_config(storage=tmp_path).run(APIGEE, **{setting: True})  # type: ignore[arg-type]
    assert says in str(raised.value)
