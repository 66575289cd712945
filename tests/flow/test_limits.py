"""Rate limits with a clock that is handed in."""

from hypothesis import given
from hypothesis import strategies as st

from engine.flow.limits import Limiter, reserve


def test_without_a_limit_nothing_waits() -> None:
    assert 0.0 == reserve([], 100.0)


def test_ten_a_second_are_a_tenth_apart() -> None:
    limit = Limiter(10)
    assert [0.0, 0.1, 0.2, 0.3] == [round(reserve([limit], 100.0), 6) for _ in range(4)]


def test_after_a_pause_nothing_is_saved_up_without_burst() -> None:
    limit = Limiter(10)
    reserve([limit], 100.0)
    assert [0.0, 0.1] == [round(reserve([limit], 200.0), 6) for _ in range(2)]


def test_a_burst_goes_at_once_and_then_waits() -> None:
    limit = Limiter(1, burst=3)
    assert [0.0, 0.0, 0.0, 1.0, 2.0] == [round(reserve([limit], 100.0), 6) for _ in range(5)]


def test_a_burst_fills_up_again_at_the_rate() -> None:
    limit = Limiter(1, burst=3)
    for _ in range(3):
        reserve([limit], 100.0)
    assert [0.0, 0.0, 1.0] == [round(reserve([limit], 102.0), 6) for _ in range(3)]


def test_of_several_limits_the_slowest_decides() -> None:
    limits = [Limiter(10), Limiter(2)]
    assert [0.0, 0.5, 1.0] == [round(reserve(limits, 100.0), 6) for _ in range(3)]


def test_a_request_held_back_by_one_limit_does_not_come_too_early_for_another() -> None:
    shared, own = Limiter(10), Limiter(1)
    for _ in range(50):  # other endpoints fill the shared limit for five seconds
        reserve([shared], 100.0)
    assert [5.0, 6.0] == [round(reserve([shared, own], 100.0), 6) for _ in range(2)]


def test_a_clock_that_is_set_back_makes_nobody_wait_for_the_old_time() -> None:
    limit = Limiter(10)
    reserve([limit], 5000.0)
    assert [0.1, 0.2] == [round(reserve([limit], 1000.0), 6) for _ in range(2)]


# --- held back by the vendor


def test_nobody_gets_a_place_before_the_vendor_wants_it() -> None:
    limit = Limiter()
    limit.hold(130.0)
    assert [30.0, 30.0, 0.0] == [reserve([limit], now) for now in (100.0, 100.0, 130.0)]


def test_a_longer_hold_is_not_shortened() -> None:
    limit = Limiter()
    limit.hold(130.0)
    limit.hold(110.0)
    assert 30.0 == reserve([limit], 100.0)


def test_behind_a_hold_the_rate_is_kept() -> None:
    hold, rate = Limiter(), Limiter(2)
    hold.hold(130.0)
    assert [30.0, 30.5, 31.0] == [reserve([hold, rate], 100.0) for _ in range(3)]


def test_what_waits_for_a_limit_of_its_own_does_not_hold_back_the_others() -> None:
    hold, slow = Limiter(), Limiter(0.1)
    for _ in range(5):
        reserve([hold, slow], 100.0)
    assert 0.0 == reserve([hold], 100.0)


def test_a_clock_that_is_set_back_moves_a_hold_along() -> None:
    limit = Limiter()
    reserve([limit], 5000.0)
    limit.hold(5010.0)
    assert 10.0 == reserve([limit], 1000.0)


LIMITS = st.lists(st.tuples(st.sampled_from([1, 2, 5, 10]), st.integers(1, 4)), min_size=1, max_size=3)
CALLS = st.lists(st.tuples(st.sets(st.integers(0, 2), min_size=1), st.floats(0, 2)), max_size=30)


@given(LIMITS, CALLS)
def test_no_second_holds_more_than_a_limit_and_its_burst_allow(
    said: list[tuple[int, int]], calls: list[tuple[set[int], float]]
) -> None:
    limiters = [Limiter(rate, burst) for rate, burst in said]
    now, sent = 100.0, [list[float]() for _ in said]
    for chosen, pause in calls:
        now += pause
        used = [at for at in chosen if at < len(said)]
        at = now + reserve([limiters[number] for number in used], now)
        for number in used:
            sent[number].append(at)
    for (rate, burst), times in zip(said, sent, strict=True):
        most = max((sum(1 for one in times if at <= one < at + 1 - 1e-6) for at in times), default=0)
        assert most <= rate + burst - 1
