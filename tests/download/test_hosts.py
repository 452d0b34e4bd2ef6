import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.download.hosts import STRIKES, Hosts, Limits


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def hosts(connections=2.0, per_second=None):
    clock = Clock()
    return Hosts(Limits(connections=connections, per_second=per_second), clock=clock), clock


LOOP = asyncio.new_event_loop()


def take(hosts):
    """A turn that is there at once; None where one would have to wait or all is done."""

    async def soon():
        async with asyncio.timeout(0):
            return await hosts.take()

    try:
        return LOOP.run_until_complete(soon())
    except TimeoutError:
        return None


def test_hosts_take_turns():
    line, _ = hosts(connections=9)
    for host, jobs in (("a", 3), ("b", 1), ("c", 2)):
        for n in range(jobs):
            line.add(host, f"{host}{n}")
    assert [take(line).job for _ in range(6)] == ["a0", "b0", "c0", "a1", "c1", "a2"]


def test_a_host_has_so_many_connections_at_once():
    line, _ = hosts(connections=2.9)
    for n in range(3):
        line.add("a", n)
    first, _ = take(line), take(line)
    assert take(line) is None
    line.done(first)
    assert take(line).job == 2


def test_so_many_requests_a_second():
    line, clock = hosts(connections=9, per_second=4)
    for n in range(3):
        line.add("a", n)
    assert take(line).job == 0
    assert take(line) is None
    clock.now += 0.25
    assert take(line).job == 1
    clock.now += 0.2
    assert take(line) is None


def test_a_part_of_a_connection_is_one_for_that_part_of_the_time():
    limits = Limits(connections=2, per_second=8).part(1 / 8)
    assert limits == Limits(connections=0.25, per_second=1)
    line, clock = hosts(connections=0.25)
    line.add("a", 0)
    line.add("a", 1)
    turn = take(line)
    clock.now += 2  # as long as the request takes: then three times as long without one
    line.done(turn)
    clock.now += 5.9
    assert take(line) is None
    clock.now += 0.2
    assert take(line).job == 1


def test_a_job_comes_back_after_a_while():
    line, clock = hosts()
    line.add("a", "again", after_seconds=3)
    assert take(line) is None
    clock.now += 3
    assert take(line).job == "again"


def test_all_of_a_host_rests_when_it_asks_for_it_and_the_others_go_on():
    line, clock = hosts()
    for n in range(4):
        line.add("a", n)
    turns = [take(line), take(line)]
    for turn in turns:
        line.rest(turn, "too_many_requests", 60)
        line.done(turn)
    line.add("b", "b")
    assert take(line).job == "b"
    assert take(line) is None
    clock.now += 60
    turn = take(line)
    assert (turn.job, turn.given_up) == (2, None)


@pytest.mark.parametrize("how", ["failed", "rest"])
def test_a_host_that_never_answers_is_given_up(how):
    line, clock = hosts(connections=1)
    for n in range(STRIKES + 3):
        line.add("a", n)
    for _ in range(STRIKES):
        turn = take(line)
        assert turn.given_up is None
        if how == "failed":
            line.failed(turn, "timeout")
        else:
            line.rest(turn, "timeout", 60)
            clock.now += 61
        line.done(turn)
    rest = [take(line) for _ in range(3)]
    assert [turn.given_up for turn in rest] == ["timeout"] * 3


def test_a_host_holds_few_connections_until_it_has_answered():
    line, _ = hosts(connections=100)
    for n in range(STRIKES + 2):
        line.add("a", n)
    turns = [take(line) for _ in range(STRIKES)]
    assert take(line) is None
    line.answered(turns[0])
    line.done(turns[0])
    assert [take(line).job, take(line).job] == [STRIKES, STRIKES + 1]


def test_a_host_given_up_while_it_rests_keeps_nobody_waiting():
    line, _ = hosts(connections=STRIKES + 1)
    for n in range(STRIKES + 3):
        line.add("a", n)
    first = take(line)
    line.answered(first)
    line.done(first)
    turns = [take(line) for _ in range(STRIKES + 1)]
    line.rest(turns[0], "too_many_requests", 600)
    for turn in turns[1:]:
        line.failed(turn, "timeout")
    assert take(line).given_up == "timeout"


def test_a_host_in_line_for_after_its_rest_comes_at_once_when_it_is_given_up():
    line, _ = hosts(connections=9)
    for n in range(4):
        line.add("a", n)
    first, second = take(line), take(line)
    line.rest(first, "too_many_requests", 60)
    line.done(first)
    assert take(line) is None
    line.give_up(second, "too_many_requests")
    line.done(second)
    assert [take(line).given_up, take(line).given_up] == ["too_many_requests"] * 2


def test_requests_under_way_together_that_meet_one_refusal_count_once():
    line, clock = hosts(connections=2 * STRIKES)
    for n in range(2 * STRIKES + 2):
        line.add("a", n)
    first = take(line)
    line.answered(first)
    line.done(first)
    turns = [take(line) for _ in range(2 * STRIKES)]
    for turn in turns:
        clock.now += 0.01
        line.rest(turn, "too_many_requests", 1)
        line.done(turn)
    clock.now += 2
    assert take(line).given_up is None


def test_an_answer_clears_the_strikes():
    line, _ = hosts(connections=1)
    for n in range(2 * STRIKES):
        line.add("a", n)
    for n in range(2 * STRIKES):
        turn = take(line)
        assert turn.given_up is None
        if n == STRIKES - 1:
            line.answered(turn)
        else:
            line.failed(turn, "timeout")
        line.done(turn)


def test_more_is_asked_for_when_nothing_can_be_done():
    line, _ = hosts()
    more = iter([True, False])

    def add():
        if there_is := next(more):
            line.add("a", 1)
        return there_is

    async def all_of_them():
        jobs = []
        while turn := await line.take(add):
            jobs.append(turn.job)
            line.done(turn)
        return jobs

    assert LOOP.run_until_complete(all_of_them()) == [1]


def test_nothing_is_remembered_of_hosts_that_are_done():
    line, _ = hosts()
    for n in range(1000):
        line.add(f"host {n}", n)
    while turn := take(line):
        line.answered(turn)
        line.done(turn)
    assert not line._hosts


@given(
    st.lists(st.sampled_from("abcd"), max_size=40),
    st.lists(st.sampled_from(["answered", "failed", "rest", "again"]), min_size=1, max_size=60),
    st.sampled_from([0.2, 1.0, 2.5, 8.0]),
    st.sampled_from([None, 3.0]),
)
def test_every_job_is_handed_out_and_no_host_is_asked_too_much(jobs, outcomes, connections, rate):
    line, clock = hosts(connections, rate)
    for n, host in enumerate(jobs):
        line.add(host, (host, n))
    handed, active, under_way = Counter(), Counter(), []
    steps = 0
    while handed.total() < len(jobs) or under_way:
        turn = take(line) if len(under_way) < 5 else None
        if turn is not None:
            host, _ = turn.job
            active[host] += 1
            assert turn.given_up is not None or active[host] <= max(1, int(connections))
            under_way.append(turn)
            handed[turn.job] += 1
            continue
        clock.now += 0.7
        if under_way:
            turn = under_way.pop(0)
            outcome = outcomes[steps % len(outcomes)]
            steps += 1
            if turn.given_up is None and outcome in ("failed", "rest"):
                getattr(line, outcome)(turn, "timeout", *((5.0,) if outcome == "rest" else ()))
            elif outcome == "answered":
                line.answered(turn)
            active[turn.job[0]] -= 1
            line.done(turn)
    assert set(handed.values()) <= {1}
    assert take(line) is None
