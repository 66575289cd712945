"""Endpoints that are repeated for the records of others: which units there are, and what becomes of each."""

from typing import Any

import pytest

from engine.core.errors import CollectionError, Mark
from engine.flow.began import progress_as_json, progress_of
from engine.flow.sweep import Progress
from tests.flow.desk import Desk, Tiny, of
from tests.vendors.server import Answer, Asked

ORGS: dict[str, Any] = {"orgs": "/orgs"}
REPOS: dict[str, Any] = {"get": "/orgs/${org.id}/repos", "for_each": {"org": "orgs"}}


def _orgs(vendor: Tiny, *names: str) -> None:
    vendor.routes["/orgs"] = [{"id": name} for name in names]
    for name in names:
        vendor.routes[f"/orgs/{name}/repos"] = [{"name": f"{name}-{number}", "stars": number} for number in (1, 2)]


def test_an_endpoint_is_asked_for_each_record_of_its_parent(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a", "b")
    desk.collect({**ORGS, "repos": {**REPOS, "add": {"org": "${org.id}"}}})
    kept = [(row["org"], row["name"]) for row in desk.rows("repos")]
    assert [("a", "a-1"), ("a", "a-2"), ("b", "b-1"), ("b", "b-2")] == kept


def test_units_are_kept_in_the_order_of_their_parents_however_they_end(desk: Desk, vendor: Tiny) -> None:
    names = [f"o{number:02}" for number in range(30)]
    _orgs(vendor, *names)
    desk.collect({**ORGS, "repos": REPOS}, connection={"concurrency": 8})
    assert [f"{name}-{number}" for name in names for number in (1, 2)] == [row["name"] for row in desk.rows("repos")]


def test_a_grandchild_has_the_fields_of_all_its_ancestors(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a")
    vendor.routes["/repos/a-1/2"] = vendor.routes["/repos/a-2/2"] = ["x"]
    branches = {
        "get": "/repos/${repo.name}/2",
        "for_each": {"repo": "repos"},
        "query": {"org": "${org.id}", "stars": "${repo.stars}"},
    }
    desk.collect({**ORGS, "repos": REPOS, "branches": branches})
    assert ["/repos/a-1/2?org=a&stars=1", "/repos/a-2/2?org=a&stars=2"] == sorted(vendor.targets())[2:]


def test_the_fields_of_ancestors_may_be_added_to_records(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": [{"id": "a"}], "/orgs/a/repos": [{"name": "r"}], "/tags": [{"tag": "t"}]}
    tags = {"get": "/tags", "for_each": {"repo": "repos"}, "add": {"org": "${org.id}", "repo": "${repo.name}"}}
    desk.collect({**ORGS, "repos": REPOS, "tags": tags})
    assert [{"tag": "t", "org": "a", "repo": "r"}] == desk.rows("tags")


def test_a_child_sees_what_was_added_to_its_parent(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": [{"id": "a"}], "/orgs/a/eu": []}
    child = {"get": "/orgs/${org.id}/${org.region}", "for_each": {"org": "orgs"}}
    assert "succeeded" == desk.collect({"orgs": {"get": "/orgs", "add": {"region": "eu"}}, "child": child}).status


def test_where_chooses_parents(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": [{"id": "a", "on": True}, {"id": "b", "on": False}], "/orgs/a/repos": []}
    desk.collect({**ORGS, "repos": {**REPOS, "for_each": {"org": {"endpoint": "orgs", "where": "on"}}}})
    assert ["/orgs", "/orgs/a/repos"] == vendor.targets()


def test_where_that_meets_the_wrong_kind_makes_the_child_incomplete(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": [{"id": "a"}]}
    parent = {"endpoint": "orgs", "where": "contains(tags, 'x')"}
    result = desk.collect({**ORGS, "repos": {**REPOS, "for_each": {"org": parent}}})
    assert ("incomplete", True) == (result.status, of(result, "orgs").complete)
    assert "its parents cannot be read" in of(result, "repos").missing[0]


def test_take_makes_a_part_of_the_record_the_parent(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": [{"owner": {"id": "x"}}, {"owner": None}], "/orgs/x/repos": []}
    desk.collect({**ORGS, "repos": {**REPOS, "for_each": {"org": {"endpoint": "orgs", "take": "owner"}}}})
    assert ["/orgs", "/orgs/x/repos"] == vendor.targets()


def test_texts_may_be_parents(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/envs": ["test", "prod"], "/envs/test": {}, "/envs/prod": {}}
    desk.collect({"envs": "/envs", "env": {"get": "/envs/${env}", "for_each": {"env": "envs"}}})
    assert ["/envs", "/envs/prod", "/envs/test"] == sorted(vendor.targets())


def test_a_parent_that_comes_twice_is_asked_once(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": [{"id": "a", "n": 1}, {"id": "a", "n": 2}], "/orgs/a/repos": []}
    desk.collect({**ORGS, "repos": REPOS})
    assert 1 == len(vendor.asked("repos"))


@pytest.mark.parametrize("by", ["id", ["id", "host"]])
def test_a_union_is_asked_once_for_each_name_it_goes_by(desk: Desk, vendor: Tiny, by: Any) -> None:
    vendor.routes |= {
        "/a": [{"id": "x", "v": 1}, {"id": "y", "v": 1}],
        "/b": [{"id": "y", "v": 2}, {"id": "z", "v": 2}],
    }
    for name in "xyz":
        vendor.routes[f"/things/{name}"] = []
    union = {"thing": {"union": ["a", "b"], "by": by}}
    child = {"get": "/things/${thing.id}", "query": {"v": "${thing.v}"}, "for_each": union}
    desk.collect({"a": "/a", "b": "/b", "things": child})
    assert ["/things/x?v=1", "/things/y?v=1", "/things/z?v=2"] == sorted(vendor.targets())[2:]


def test_a_condition_on_a_union_holds_for_each_of_its_endpoints(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/a": [{"id": "x"}], "/b": [{"id": "y"}], "/things/y": []}
    union = {"thing": {"union": ["a", "b"], "by": "id", "where": "id == 'y'"}}
    desk.collect({"a": "/a", "b": "/b", "things": {"get": "/things/${thing.id}", "for_each": union}})
    assert ["/things/y"] == sorted(vendor.targets())[2:]


# --- failing

FIX = "check the path and base_url"


def test_a_failing_child_does_not_fail_its_brothers_and_is_named(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a", "b", "c")
    vendor.routes["/orgs/b/repos"] = Answer.json({"error": {"message": "gone"}}, 404)
    result = desk.collect({**ORGS, "repos": REPOS})
    words = f'org {{"id":"b"}}: GET {vendor.url}/orgs/b/repos: status 404: gone'
    assert (4, (words,)) == (of(result, "repos").rows, of(result, "repos").missing)


def test_what_a_parent_misses_its_children_miss_too(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/orgs"] = Answer.json({}, 500)
    result = desk.collect({**ORGS, "repos": REPOS})
    assert ("it is repeated for orgs, which is incomplete",) == of(result, "repos").missing


def test_a_name_that_is_null_in_one_record_fails_that_unit_alone(desk: Desk, vendor: Tiny) -> None:
    vendor.routes |= {"/orgs": [{"id": "a"}, {"id": None}], "/orgs/a/repos": [{"name": "r"}]}
    result = desk.collect({**ORGS, "repos": REPOS})
    assert (1, 1) == (of(result, "repos").rows, len(of(result, "repos").missing))
    assert "org.id is null" in of(result, "repos").missing[0]


def test_each_kind_of_failure_is_one_record_with_its_mend(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a", "b", "c", "d")
    for name, status in (("a", 404), ("b", 403), ("c", 404)):
        vendor.routes[f"/orgs/{name}/repos"] = Answer.json({}, status)
    result = desk.collect({**ORGS, "repos": REPOS})
    told = [(one["error_code"], one["fix"], one["context"]["units"]) for one in result.errors]
    assert [("collection", FIX, 2), ("collection", "check what the credentials may read", 1)] == told


def test_the_record_of_a_failure_says_where(desk: Desk, vendor: Tiny) -> None:
    result = desk.collect({"things": "/things"})
    context = result.errors[0]["context"]
    assert ("acme", "collect", "things", 0) == tuple(
        context[name] for name in ("tool_name", "collection_type", "endpoint", "page")
    )
    assert (f"GET {vendor.url}/things", "engine/flow/answer.py") == (context["request"], context["file"])


def test_the_record_of_a_failure_is_written_to_the_log(desk: Desk) -> None:
    result = desk.collect({"things": "/things"})
    lines = (desk.storage / "logs" / "errors.jsonl").read_text().splitlines()
    assert [result.errors[0]["error_id"]] == [line.split('"error_id": "')[1][:36] for line in lines]


# --- skipping


def _skip(scope: str, **when: Any) -> dict[str, Any]:
    return {"responses": [{"when": when, "skip": {"scope": scope, "say": "needs an add-on: ${answer.reason}"}}]}


def test_a_skipped_unit_is_named_and_its_brothers_go_on(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a", "b")
    vendor.routes["/orgs/a/repos"] = Answer.json({"reason": "plan"}, 403)
    result = desk.collect({**ORGS, "repos": {**REPOS, **_skip("unit", status=[402, 403])}})
    assert ("succeeded", 2) == (result.status, of(result, "repos").rows)
    assert ('org {"id":"a"}: needs an add-on: plan',) == of(result, "repos").skipped


def test_a_skipped_endpoint_asks_no_more(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a", "b", "c")
    for name in "abc":
        vendor.routes[f"/orgs/{name}/repos"] = Answer.json({"reason": "off"}, 200)
    repos = {**REPOS, **_skip("endpoint", status=200, body="reason == 'off'")}
    result = desk.collect({**ORGS, "repos": repos}, connection={"concurrency": 1})
    assert (1, ("needs an add-on: off",)) == (len(vendor.asked("repos")), of(result, "repos").skipped)


def test_an_endpoint_that_is_skipped_when_some_of_it_came_is_incomplete(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a", "b")
    vendor.routes["/orgs/b/repos"] = Answer.json({"reason": "off"}, 403)
    result = desk.collect({**ORGS, "repos": {**REPOS, **_skip("endpoint", status=403)}}, connection={"concurrency": 1})
    assert ("incomplete", ("needs an add-on: off",)) == (result.status, of(result, "repos").missing)


def test_units_of_a_skipped_endpoint_are_asked_for_again(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a", "b", "c")
    for name in "abc":
        vendor.routes[f"/orgs/{name}/repos"] = Answer.json({"reason": "off"}, 403)
    repos = {**REPOS, **_skip("endpoint", status=403), "for_each": {"org": {"endpoint": "orgs", "when_changed": "id"}}}
    desk.collect({**ORGS, "repos": repos}, connection={"concurrency": 1})
    vendor.log.clear()
    for name in "abc":
        vendor.routes[f"/orgs/{name}/repos"] = []
    desk.collect({**ORGS, "repos": repos})
    assert 3 == len(vendor.asked("repos"))


def test_below_a_skipped_endpoint_nothing_succeeds_without_a_word(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/orgs"] = Answer.json({"reason": "off"}, 403)
    result = desk.collect({"orgs": {"get": "/orgs", **_skip("endpoint", status=403)}, "repos": REPOS})
    assert ("needs an add-on: off",) == of(result, "repos").skipped


def test_a_response_rule_may_look_at_headers(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/orgs"] = lambda _: Answer.json({"reason": "r"}, 403, X_Plan="free")
    result = desk.collect({"orgs": {"get": "/orgs", **_skip("unit", status=403, header={"X-Plan": "free"})}})
    assert ("needs an add-on: r",) == of(result, "orgs").skipped


def test_a_response_rule_that_does_not_hold_leaves_a_refusal(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/orgs"] = lambda _: Answer.json({"reason": "r"}, 403, X_Plan="paid")
    result = desk.collect({"orgs": {"get": "/orgs", **_skip("unit", status=403, header={"X-Plan": "free"})}})
    assert "status 403" in of(result, "orgs").missing[0]


PAGED = {"offset": {"send": "query.from", "size": {"send": "query.size", "value": 2}}}


def _paged(vendor: Tiny, broken: set[int], rows: int = 7, **more: Any) -> None:
    def page(asked: Asked) -> Any:
        start = int(dict(asked.query)["from"])
        if start in broken:
            return Answer.json({"reason": "broken"}, 422)
        return {"data": [{"id": number} for number in range(start, min(start + 2, rows))], **more}

    vendor.routes["/things"] = page


def _skipping(paginate: Any = PAGED) -> dict[str, Any]:
    return {"get": "/things", "records": "data", "paginate": paginate, **_skip("page", status=422)}


def test_a_skipped_page_is_named_and_the_next_is_asked(desk: Desk, vendor: Tiny) -> None:
    _paged(vendor, {2})
    result = desk.collect({"things": _skipping()})
    assert [0, 1, 4, 5, 6] == [row["id"] for row in desk.rows("things", "data")]
    words = f"GET {vendor.url}/things?size=2&from=2: needs an add-on: broken"
    assert ("succeeded", (words,)) == (result.status, of(result, "things").skipped)


def test_a_skipped_page_does_not_break_the_total(desk: Desk, vendor: Tiny) -> None:
    _paged(vendor, {2}, total=7)
    paged = {"offset": {**PAGED["offset"], "total": "answer.total"}}
    assert "succeeded" == desk.collect({"things": _skipping(paged)}).status


def test_skipped_pages_end_with_the_total(desk: Desk, vendor: Tiny) -> None:
    _paged(vendor, {2, 4, 6}, total=7)
    desk.collect({"things": _skipping({"offset": {**PAGED["offset"], "total": "answer.total"}})})
    assert 4 == len(vendor.log)


def test_ten_skipped_pages_in_a_row_without_a_total_are_incomplete(desk: Desk, vendor: Tiny) -> None:
    _paged(vendor, set(range(2, 1000, 2)))
    result = desk.collect({"things": _skipping()})
    assert (11, "incomplete") == (len(vendor.log), result.status)
    assert "10 pages in a row were skipped, and more may follow" in of(result, "things").missing[0]


def test_skipped_pages_are_passed_over_up_to_the_total(desk: Desk, vendor: Tiny) -> None:
    _paged(vendor, set(range(2, 40, 2)), rows=43, total=43)
    result = desk.collect({"things": _skipping({"offset": {**PAGED["offset"], "total": "answer.total"}})})
    assert ("succeeded", 5) == (result.status, of(result, "things").rows)


def test_where_only_the_page_knows_the_next_a_skip_ends_the_unit(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/things"] = Answer.json({"reason": "broken"}, 422)
    result = desk.collect({"things": _skipping({"cursor": {"read": "answer.next", "send": "query.token"}})})
    assert (1, 1) == (len(vendor.log), len(of(result, "things").skipped))


def test_skip_unless_leaves_an_endpoint_and_what_is_below_out(desk: Desk, vendor: Tiny) -> None:
    orgs = {"get": "/orgs", "skip_unless": {"param": "hub", "say": "set hub to see it"}}
    result = desk.collect({"orgs": orgs, "repos": REPOS}, params={"hub": {"optional": True}})
    assert [("set hub to see it",)] * 2 == [one.skipped for one in result.collections]
    assert ("succeeded", []) == (result.status, vendor.log)


def test_skip_unless_is_quiet_where_the_param_is_set(desk: Desk, vendor: Tiny) -> None:
    vendor.routes["/orgs"] = [1]
    orgs = {"get": "/orgs", "skip_unless": {"param": "hub", "say": "set hub to see it"}}
    assert 1 == desk.collect({"orgs": orgs}, params={"hub": {"default": "x"}}).records_collected


# --- when_changed


def _changing(vendor: Tiny, **moments: Any) -> None:
    vendor.routes["/orgs"] = [{"id": name, "at": at} for name, at in moments.items()]
    vendor.log.clear()


CHANGED = {**REPOS, "for_each": {"org": {"endpoint": "orgs", "when_changed": "at"}}}


def test_the_second_run_asks_only_where_the_value_moved(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a", "b", "c")
    _changing(vendor, a=1, b=1)
    desk.collect({**ORGS, "repos": CHANGED})
    _changing(vendor, a=1, b=2, c=1)
    desk.collect({**ORGS, "repos": CHANGED})
    assert ["/orgs/b/repos", "/orgs/c/repos"] == sorted(vendor.targets())[1:]


def test_a_unit_that_failed_is_asked_again_though_nothing_moved(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a", "b")
    _changing(vendor, a=1, b=1)
    vendor.fault("/orgs/a/repos", status=400)
    desk.collect({**ORGS, "repos": CHANGED})
    vendor.log.clear()
    desk.collect({**ORGS, "repos": CHANGED})
    assert ["/orgs", "/orgs/a/repos"] == vendor.targets()


def test_nothing_new_to_ask_is_no_emptied_endpoint(desk: Desk, vendor: Tiny) -> None:
    _orgs(vendor, "a")
    _changing(vendor, a=1)
    desk.collect({**ORGS, "repos": CHANGED})
    assert "succeeded" == desk.collect({**ORGS, "repos": CHANGED}).status


def test_why_a_unit_failed_comes_back_as_it_was_written_down() -> None:
    failure = CollectionError("broken", "mend it", Mark("acme.yaml", 3, 7), {"request": "GET /x"})
    known = progress_of(progress_as_json(Progress(missing="broken", failure=failure))).failure
    assert isinstance(known, CollectionError)
    assert (known.message, known.fix, known.mark, known.context) == ("broken", "mend it", failure.mark, failure.context)
