"""`state`: how far the endpoints of a tool were read, on the screen."""

import json
from pathlib import Path

import click
import pytest

from tests.cli.shop import Desk

NEWS = "  news: { get: /news, incremental: { start: 2026-01-01, send: query.since } }\ntables:\n"


@pytest.fixture
def read(desk: Desk) -> Desk:
    """The shop was collected, with an endpoint that is asked for what is new."""
    page = Path("pipelines/shop.yaml")
    page.write_text(page.read_text().replace("tables:\n", NEWS, 1))
    desk.engine("collect", "shop")
    return desk


def test_state_lists_the_marks(read: Desk) -> None:
    lines = [line.split() for line in read.engine("state", "shop").stdout.splitlines()]
    assert ["endpoint", "parent", "read", "until", "since"] == lines[0]
    assert ["news", f"{lines[1][2][:19]}Z"] == lines[1][:2]


def test_state_prints_json(read: Desk) -> None:
    [mark] = json.loads(read.engine("state", "shop", "--json").stdout)
    assert ("news", "", {}) == (mark["endpoint"], mark["parent"], mark["binding"])


def test_reset_says_what_the_next_run_will_read(read: Desk) -> None:
    answer = read.engine("state", "shop", "--reset", "news")
    assert "1 mark forgotten; the next collection reads news from 2026-01-01 on\n" == answer.stdout
    assert "not read yet" in read.engine("state", "shop").stdout


def test_reset_of_an_unknown_endpoint_suggests_one(read: Desk) -> None:
    answer = read.engine("state", "shop", "--reset", "new")
    assert 2 == answer.return_value
    assert 'shop has no endpoint "new"; did you mean "news"?' in answer.stderr


def test_parent_needs_reset(read: Desk) -> None:
    with pytest.raises(click.UsageError, match="--parent needs --reset ENDPOINT"):
        read.engine("state", "shop", "--parent", "x")
