"""Endpoints that are repeated for lists, params, tables and groups, for several parents at once, and to any depth."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.errors import SpecError
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked


class Echo(Tiny):
    """A vendor that answers any path it has no route for with the path itself."""

    def answer(self, asked: Asked) -> Answer:
        """What stands at the path, or one record that names it."""
        return super().answer(asked) if asked.path in self.routes else Answer.json([{"path": asked.target}])


@pytest.fixture
def vendor() -> Any:
    with Echo() as opened:
        yield opened


def _asked(vendor: Tiny, prefix: str = "/things") -> list[str]:
    return [target for target in vendor.targets() if target.startswith(prefix)]


def _kept(desk: Desk, endpoint: str = "things") -> list[str]:
    return [row["path"] for row in desk.rows(endpoint)]


def test_an_endpoint_is_asked_for_each_value_of_a_list(desk: Desk) -> None:
    desk.collect({"things": {"get": "/things/${kind}", "for_each": {"kind": ["email", "sms", 1.10]}}})
    assert ["/things/email", "/things/sms", "/things/1.1"] == _kept(desk)


def test_an_endpoint_is_asked_for_each_value_of_a_param(desk: Desk) -> None:
    things = {"get": "/things/${project}", "for_each": {"project": "${param.projects}"}}
    desk.collect({"things": things}, given={"projects": "a,b"}, params={"projects": {"type": "list"}})
    assert ["/things/a", "/things/b"] == _kept(desk)


def test_without_the_param_the_endpoint_is_left_out_with_words(desk: Desk, vendor: Tiny) -> None:
    things = {"get": "/things/${project}", "for_each": {"project": "${param.projects}"}}
    result = desk.collect({"things": things}, params={"projects": {"type": "list", "optional": True}})
    words = 'param "projects" is not set, and there is one request for each of its values'
    assert ("succeeded", (words,), []) == (result.status, of(result, "things").skipped, vendor.log)


def test_without_a_param_of_a_union_it_is_named(desk: Desk) -> None:
    things = {"get": "/things/${project}", "for_each": {"project": {"union": [["a"], "${param.projects}"]}}}
    result = desk.collect({"things": things}, params={"projects": {"type": "list", "optional": True}})
    assert ("incomplete", "set it with -p projects=…, or take it out of the union") == (
        result.status,
        result.errors[0]["fix"],
    )


def test_a_param_that_is_no_list_is_refused(desk: Desk) -> None:
    things = {"get": "/things/${project}", "for_each": {"project": "${param.project}"}}
    with pytest.raises(SpecError, match='param "project" is of type string, and an endpoint is repeated for a list'):
        desk.collect({"things": things}, given={"project": "a"}, params={"project": {}})


def test_several_parents_give_each_combination_in_the_order_of_the_page(desk: Desk) -> None:
    each = {"kind": ["email", "sms"], "region": ["eu", "us"]}
    desk.collect({"things": {"get": "/things/${kind}/${region}", "for_each": each}})
    assert ["email/eu", "email/us", "sms/eu", "sms/us"] == [path.removeprefix("/things/") for path in _kept(desk)]


def test_parents_below_the_same_record_are_combined_below_it_only(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/orgs"] = [{"id": "a"}, {"id": "b"}]
    for org in "ab":
        vendor.routes[f"/orgs/{org}/repos"] = [{"id": f"{org}1"}, {"id": f"{org}2"}]
        vendor.routes[f"/orgs/{org}/teams"] = [{"id": f"{org}t"}]
    listed = {name: {"get": f"/orgs/${{org.id}}/{name}", "for_each": {"org": "orgs"}} for name in ("repos", "teams")}
    each = {"repo": "repos", "team": "teams"}
    things = {"get": "/things/${org.id}/${repo.id}/${team.id}", "for_each": each}
    desk.collect({"orgs": "/orgs", **listed, "things": things})
    assert ["/things/a/a1/at", "/things/a/a2/at", "/things/b/b1/bt", "/things/b/b2/bt"] == _kept(desk)


def test_a_union_may_hold_endpoints_lists_and_params(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/names"] = ["b", "c"]
    union = {"name": {"union": [["a", "b"], "names", "${param.more}"], "where": "@ != 'c'"}}
    endpoints = {"names": "/names", "things": {"get": "/things/${name}", "for_each": union}}
    desk.collect(endpoints, given={"more": "d,a"}, params={"more": {"type": "list"}})
    assert ["/things/a", "/things/b", "/things/d"] == _kept(desk)


def test_four_levels_have_the_fields_of_all_above(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/a": [{"id": 1}, {"id": 2}], "/a/1/b": [{"id": 3}], "/a/2/b": [{"id": 4}]}
    vendor.routes |= {"/b/3/c": [{"id": 5}], "/b/4/c": [{"id": 6}]}
    endpoints = {
        "d": {"get": "/things/${a.id}/${b.id}/${c.id}", "for_each": {"c": "c"}},
        "c": {"get": "/b/${b.id}/c", "for_each": {"b": "b"}},
        "b": {"get": "/a/${a.id}/b", "for_each": {"a": "a"}},
        "a": "/a",
    }
    desk.collect(endpoints)
    assert ["/things/1/3/5", "/things/2/4/6"] == _kept(desk, "d")


def test_a_failed_combination_is_named_and_its_brothers_are_kept(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things/sms/eu"] = Answer.json({}, 404)
    each = {"kind": ["email", "sms"], "region": ["eu", "us"]}
    result = desk.collect({"things": {"get": "/things/${kind}/${region}", "for_each": each}})
    words = f'kind "sms", region "eu": GET {vendor.url}/things/sms/eu: status 404'
    assert ((words,), 3) == (of(result, "things").missing, of(result, "things").rows)


@pytest.mark.parametrize("parent", [{"id": None}, {"noid": 1}])
def test_a_parent_without_the_field_that_is_sent_is_named_and_asks_for_nothing(
    desk: Desk, vendor: Tiny, parent: dict[str, Any]
) -> None:
    vendor.routes["/names"] = [parent, {"id": "a"}]
    things = {"get": "/things", "query": {"p": "${p.id}"}, "for_each": {"p": "names"}}
    result = desk.collect({"names": "/names", "things": things})
    words = 'p {"id":null}: ${p.id}: p.id is null or missing, and it is sent'
    assert (["/things?p=a"], (words,)) == (_asked(vendor), of(result, "things").missing)
    assert "${p.id if p.id} to leave it out" in result.errors[0]["fix"]


# --- groups


def test_a_group_is_one_request_for_so_many(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/fields"] = [{"id": f"f{number:03}"} for number in range(120)]
    group = {"endpoint": "fields", "take": "id", "group": 50}
    things = {"get": "/things", "query": {"ids": "${ids|join(',')}"}, "for_each": {"ids": group}}
    desk.collect({"fields": "/fields", "things": things})
    counts = [len(dict(asked.query)["ids"].split(",")) for asked, _ in vendor.asked("things")]
    assert [20, 50, 50] == sorted(counts)
    assert _kept(desk)[0].startswith("/things?ids=f000%2Cf001%2Cf002%2C")


def test_a_group_may_repeat_its_field_or_stand_in_a_body(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = []
    things = {"post": "/things", "query": {"id": "${ids}"}, "body": {"ids": "${ids}"}}
    desk.collect({"things": {**things, "for_each": {"ids": {"values": ["a", "b", "c"], "group": 2}}}})
    found = sorted((asked.target, asked.body) for asked, _ in vendor.log)
    assert [("/things?id=a&id=b", b'{"ids":["a","b"]}'), ("/things?id=c", b'{"ids":["c"]}')] == found


def test_a_group_holds_only_what_stands_below_the_same_parent(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": [{"id": "a"}, {"id": "b"}], "/orgs/a/repos": ["1", "2", "3"], "/orgs/b/repos": ["4"]}
    endpoints = {
        "orgs": "/orgs",
        "repos": {"get": "/orgs/${org.id}/repos", "for_each": {"org": "orgs"}},
        "things": {
            "get": "/things/${org.id}",
            "for_each": {"repos": {"endpoint": "repos", "group": 2}},
            "query": {"repos": {"join": "|", "values": "${repos}"}},
        },
    }
    desk.collect(endpoints)
    assert ["/things/a?repos=1%7C2", "/things/a?repos=3", "/things/b?repos=4"] == _kept(desk)


def test_a_group_is_combined_with_other_parents(desk: Desk) -> None:
    each = {"ids": {"values": ["a", "b", "c"], "group": 2}, "kind": ["x", "y"]}
    desk.collect({"things": {"get": "/things/${kind}/${ids|join('+')|path}", "for_each": each}})
    assert ["x/a%2Bb", "x/c", "y/a%2Bb", "y/c"] == [path.removeprefix("/things/") for path in _kept(desk)]


def test_each_parent_of_a_group_has_a_mark_of_its_own(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/fields": ["a", "b"]}
    incremental = {"start": "2026-06-01", "send": "query.since"}
    group = {"ids": {"endpoint": "fields", "group": 2}}
    things = {"get": "/things", "query": {"ids": "${ids|join(',')}"}, "for_each": group, "incremental": incremental}
    desk.collect({"fields": "/fields", "things": things})
    vendor.routes["/fields"] = ["a", "new", "b"]
    vendor.log.clear()
    desk.collect({"fields": "/fields", "things": things})
    expected = ["ids=a%2Cb&since=2026-06-15T12%3A00%3A01Z", "ids=new&since=2026-06-01T00%3A00%3A00Z"]
    assert expected == sorted(target.partition("?")[2] for target in _asked(vendor))
    assert ["2026-06-15T12:00:02Z"] * 3 == desk.watermarks("things")


# --- tables


COLUMNS = {"id": {"path": "id", "type": "string"}, "plan": {"path": "plan", "type": "string"}}
TABLES = {"customers": {"from": "customers", "key": "id", "columns": COLUMNS}}
OF_TABLE = {
    "customers": "/customers",
    "things": {"get": "/things/${customer.id}", "for_each": {"customer": {"table": "customers", "where": "plan"}}},
}


def test_an_endpoint_is_asked_for_the_rows_of_a_table_as_published_before(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/customers"] = [{"id": "a", "plan": "pro"}, {"id": "b", "plan": None}]
    page = desk.page(OF_TABLE, tables=TABLES)
    desk.engine().run(page)
    vendor.routes["/customers"] = [{"id": "c", "plan": "pro"}]
    desk.time.now += 1
    assert "succeeded" == desk.engine().run(page).status
    assert ["/things/a"] == _kept(desk)


def test_a_table_that_is_not_published_yet_is_named(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/customers"] = []
    result = desk.collect(OF_TABLE, tables=TABLES)
    text = 'the table "customers" is not published yet, so there are no rows to repeat for'
    assert ("incomplete", True) == (result.status, text in of(result, "things").missing[0])
    assert "make it, then collect once more: engine run acme" == result.errors[0]["fix"]


def test_the_plan_says_that_a_table_is_not_published_yet(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/customers"] = [{"id": "a", "plan": "pro"}]
    page = desk.page(OF_TABLE, tables=TABLES)
    before = desk.engine().explain(page)["endpoints"][1]["how"]
    desk.engine().run(page)
    after = desk.engine().explain(page)["endpoints"][1]["how"]
    words = "table customers is not published yet"
    assert (True, False) == (words in before, words in after)


# --- the same parent in the next collection


def test_a_parent_is_known_again_by_its_key_whatever_else_of_it_changed(desk: Desk, vendor: Tiny) -> None:
    parent = {"endpoint": "repos", "by": "id", "when_changed": "at"}
    things = {"get": "/things/${repo.id}", "query": {"stars": "${repo.stars}"}, "for_each": {"repo": parent}}
    for stars in (1, 2):
        vendor.routes["/repos"] = [{"id": "a", "at": "x", "stars": stars}]
        desk.collect({"repos": "/repos", "things": things})
    assert ["/things/a?stars=1"] == _asked(vendor)


def test_the_mark_of_a_parent_that_is_long_gone_is_forgotten(desk: Desk, vendor: Tiny) -> None:
    things = {"get": "/things/${repo}", "for_each": {"repo": {"endpoint": "repos", "when_changed": "@"}}}
    for days, repos in enumerate((["a", "b"], ["b"], ["b"])):
        desk.time.now += 20 * days * 86_400
        vendor.routes["/repos"] = repos
        desk.collect({"repos": "/repos", "things": things})
    assert ['"b"'] == desk.watermarks("things", "changed")
