"""What is due when: fortnights in which clocks change, runs that take long, and a daemon that was off."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise, takewhile

from hypothesis import given
from hypothesis import strategies as st

from tests.app.fortnight import Fortnight, at, days, plan

BERLIN = plan("berlin", cron="30 2 * * *", timezone="Europe/Berlin")
NEW_YORK = plan("new_york", "other", cron="30 1 * * *", timezone="America/New_York")
SKIPPED = plan("new_york", "other", cron="30 2 * * *", timezone="America/New_York")
HOURLY = plan("hourly", cron="0 * * * *", timezone="Europe/Berlin")
EVERY = plan("every", "third", every="6h")
AUTUMN = at("2026-10-20 12:00"), at("2026-11-03 12:00")
SPRING = at("2027-03-13 12:00"), at("2027-03-29 12:00")


def test_in_the_fortnight_in_which_clocks_go_back_each_due_run_is_once() -> None:
    seen = Fortnight([BERLIN, NEW_YORK, HOURLY, EVERY], *AUTUMN)
    berlin = [*days("2026-10", 21, 25, "00:30"), *days("2026-10", 26, 31, "01:30"), *days("2026-11", 1, 3, "01:30")]
    new_york = [*days("2026-10", 21, 31, "05:30"), "2026-11-01T05:30:00Z", *days("2026-11", 2, 3, "06:30")]
    assert (berlin, new_york) == (seen.due("berlin"), seen.due("new_york"))
    assert (14 * 24 - 1, 14 * 4 - 1) == (len(set(seen.due("hourly"))), len(set(seen.due("every"))))
    assert 14 + 14 + 14 * 24 - 1 + 14 * 4 - 1 == len(seen.started)


def test_in_the_fortnight_in_which_clocks_go_forward_each_due_run_is_once() -> None:
    seen = Fortnight([BERLIN, SKIPPED, HOURLY, EVERY], *SPRING)
    berlin = [*days("2027-03", 14, 27, "01:30"), "2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]
    new_york = ["2027-03-14T07:00:00Z", *days("2027-03", 15, 29, "06:30")]
    assert (berlin, new_york) == (seen.due("berlin"), seen.due("new_york"))
    assert (16 * 24 - 1, 16 * 4 - 1) == (len(set(seen.due("hourly"))), len(set(seen.due("every"))))


def test_runs_begin_when_they_are_due() -> None:
    assert {timedelta(0)} == set(Fortnight([NEW_YORK], *AUTUMN).late("new_york"))


def test_what_was_missed_while_the_daemon_was_off_is_one_run() -> None:
    seen = Fortnight([BERLIN], *AUTUMN, off=(at("2026-10-24 20:00"), at("2026-10-28 09:00")))
    expected = [*days("2026-10", 21, 24, "00:30"), *days("2026-10", 28, 31, "01:30"), *days("2026-11", 1, 3, "01:30")]
    assert expected == seen.due("berlin")
    assert timedelta(hours=7, minutes=30) == seen.late("berlin")[4]


def test_a_run_that_the_end_of_the_daemon_cut_off_is_due_again_and_one_that_ended_is_not() -> None:
    lasts = timedelta(hours=1)
    cut = Fortnight([BERLIN], *AUTUMN, run_lasts=lasts, off=(at("2026-10-24 01:00"), at("2026-10-24 03:00")))
    ended = Fortnight([BERLIN], *AUTUMN, run_lasts=lasts, off=(at("2026-10-24 01:31"), at("2026-10-24 03:00")))
    assert (2, 1) == tuple(seen.due("berlin").count("2026-10-24T00:30:00Z") for seen in (cut, ended))


def test_two_schedules_of_a_tool_wait_for_each_other() -> None:
    lasts = timedelta(minutes=40)
    seen = Fortnight([BERLIN, HOURLY], *AUTUMN, run_lasts=lasts)
    assert all(later - earlier >= lasts for (earlier, _, _), (later, _, _) in pairwise(seen.started))
    assert 14 == len(set(seen.due("berlin"))) == len(seen.due("berlin"))


def test_what_comes_due_while_a_run_is_going_on_is_one_run_after_it() -> None:
    quarters = plan("quarters", every="15m")
    seen = Fortnight([quarters], at("2026-10-20 12:00"), at("2026-10-20 14:00"), run_lasts=timedelta(minutes=40))
    assert ["2026-10-20T12:15:00Z", "2026-10-20T12:45:00Z", "2026-10-20T13:30:00Z"] == seen.due("quarters")


def test_jitter_is_the_same_for_the_same_time_and_another_for_the_next() -> None:
    spread = plan("spread", cron="0 2 * * *", jitter="5m")
    seen, again = (Fortnight([spread], *AUTUMN).late("spread") for _ in range(2))
    assert seen == again
    assert (14, True) == (len(set(seen)), all(timedelta(0) <= one < timedelta(minutes=5) for one in seen))


def test_jitter_keeps_tools_apart() -> None:
    words = {"cron": "0 2 * * *", "jitter": "1h"}
    moments = {plan("nightly", tool, **words).moment(at("2026-10-25 02:00")) for tool in ("a", "b", "c")}
    assert 3 == len(moments)


def test_a_schedule_that_was_off_for_years_is_due_once_for_its_newest_time() -> None:
    yearly = plan("yearly", cron="0 0 29 2 *")
    assert at("2024-02-29 00:00") == yearly.due(at("2019-01-01"), at("2026-01-01"))


def test_nothing_is_due_before_its_time_nor_when_it_is_done() -> None:
    moments = ("2026-10-25 00:29", "2026-10-25 00:30")
    assert [None, at("2026-10-25 00:30")] == [BERLIN.due(at("2026-10-24 00:30"), at(now)) for now in moments]
    assert None is BERLIN.due(at("2026-10-25 00:30"), at("2026-10-25 12:00"))


@given(st.integers(0, 40_000), st.integers(0, 40_000), st.sampled_from(["0s", "7m", "3h"]))
def test_due_is_the_newest_of_all_times_whose_moment_has_come(done: int, later: int, jitter: str) -> None:
    plans = [plan("p", cron="30 2,14 * * *", timezone="Europe/Berlin", jitter=jitter), plan("q", every="5h")]
    begin = at("2026-10-10 00:00") + timedelta(minutes=done)
    now = begin + timedelta(minutes=later)
    for one in plans:
        come = [due for due in takewhile(now.__ge__, one.schedule.after(begin)) if one.moment(due) <= now]
        assert (come[-1] if come else None) == one.due(begin, now)
