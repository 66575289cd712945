"""An answer of GraphQL: its records, and errors that come with status 200."""

from __future__ import annotations

import pytest

from engine.app.engine import registry
from engine.core.errors import CollectionError
from engine.core.wire import Page, Request
from engine.flow.answer import with_records
from engine.spec.collect import Endpoint

ISSUES = Endpoint.model_validate(
    {"graphql": {"query": "{ issues { id } }"}, "records": "data.issues"}, context={"registry": registry()}
)


def page(body: str) -> Page:
    return Page(Request("POST", "https://a.example/graphql"), 200, body=body.encode())


def test_records_stand_below_data() -> None:
    assert [b'{"id":1}'] == with_records(ISSUES, page('{"data":{"issues":[{"id":1}]}}')).rows


def test_errors_beside_data_are_a_part_that_is_missing() -> None:
    body = '{"data":{"issues":[{"id":1}]},"errors":[{"message":"no access to issue 2"}]}'
    with pytest.raises(CollectionError, match="the answer has errors: no access to issue 2"):
        with_records(ISSUES, page(body))


def test_no_errors_are_no_errors() -> None:
    assert [] == with_records(ISSUES, page('{"data":{"issues":[]},"errors":[]}')).rows
