"""Too many failures from one address keep it out for a while: for all nodes, and for no other address."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import select

from livemon.access.errors import TooManyFailures
from livemon.access.sign_in_limits import MOST, STEP, WINDOW, check, counted_as, refused
from livemon.store.audit.acts import Act, Action, Outcome
from livemon.store.tables import AuditEntry, SignInFailures
from tests.access.conftest import Clock

HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"


@pytest.fixture
def fail(store, audit, clock):
    async def fail(times: int = 1, address: str = HERE) -> None:
        for _ in range(times):
            await refused(store, audit, Act(Action.SIGN_IN, Outcome.REFUSED, address=address), now=clock)

    return fail


async def is_out(store, clock: Clock, address: str = HERE) -> int:
    """In how many seconds it is worth trying again; 0 if it is now."""
    try:
        await check(store, address, now=clock)
    except TooManyFailures as error:
        assert error.wait_s > 0
        return error.wait_s
    return 0


async def entries(store, audit) -> list[str]:
    await audit._flush()
    async with store.session() as session:
        return [each.detail for each in (await session.exec(select(AuditEntry).order_by("seq"))).all()][1:]


async def test_ten_failures_keep_an_address_out_at_every_node_and_no_other(store, other_store, clock, fail):
    await fail(MOST - 1)
    assert not await is_out(store, clock)
    await fail()
    assert await is_out(store, clock)
    assert await is_out(other_store, clock)
    assert not await is_out(store, clock, ELSEWHERE)


async def test_failures_at_several_nodes_at_once_are_all_counted(store, other_store, audit, clock):
    act = Act(Action.SIGN_IN, Outcome.REFUSED, address=HERE)
    await asyncio.gather(*(refused(each, audit, act, now=clock) for each in (store, other_store) for _ in range(20)))
    async with store.session() as session:
        assert [row.count for row in (await session.exec(select(SignInFailures))).all()] == [40]


async def test_it_is_over_when_it_was_said_to_be(store, clock, fail):
    await fail(MOST)
    wait_s = await is_out(store, clock)
    assert WINDOW.total_seconds() <= wait_s <= (WINDOW + STEP).total_seconds()
    clock.forward(seconds=wait_s - 1)
    assert await is_out(store, clock) == 1
    clock.forward(seconds=1)
    assert not await is_out(store, clock)
    await fail(MOST - 1)
    assert not await is_out(store, clock)
    await fail()
    assert await is_out(store, clock)


@pytest.mark.parametrize("offset_s", [0, 1, 14.5, 29.999])
async def test_ten_within_five_minutes_are_too_many_wherever_they_fall(store, clock, fail, offset_s):
    clock.forward(seconds=offset_s)
    await fail(MOST // 2)
    clock.forward(seconds=WINDOW.total_seconds() - 0.001)
    await fail(MOST - MOST // 2)
    assert await is_out(store, clock)


async def test_what_was_long_ago_does_not_count(store, clock, fail):
    for _ in range(4 * MOST):
        await fail()
        clock.forward(seconds=(WINDOW + STEP).total_seconds() / (MOST - 1))
        assert not await is_out(store, clock)


async def test_as_soon_as_the_oldest_are_out_there_is_room_again(store, clock, fail):
    await fail(3)
    clock.forward(minutes=2)
    await fail(7)
    wait_s = await is_out(store, clock)
    assert wait_s <= (WINDOW + STEP - timedelta(minutes=2)).total_seconds()
    clock.forward(seconds=wait_s)
    assert not await is_out(store, clock)
    await fail(3)
    assert await is_out(store, clock)


async def test_an_address_that_is_out_is_noted_once(store, audit, clock, fail):
    await fail(MOST + 5)
    limited = [detail for detail in await entries(store, audit) if "limited" in detail]
    assert limited == ['{"reason":"limited"}']


async def test_old_counts_are_swept(store, clock, fail):
    for n in range(20):
        await fail(address=f"198.51.100.{n}")
    clock.forward(seconds=2 * WINDOW.total_seconds() + STEP.total_seconds() + 1)
    await fail()
    async with store.session() as session:
        assert [row.address for row in (await session.exec(select(SignInFailures))).all()] == [HERE]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", None),
        ("unknown", None),
        ("192.0.2.7, 10.0.0.1", None),
        ("x\x00", None),
    ],
)
def test_what_a_failure_is_counted_for(address, counted):
    assert counted_as(address) == counted


async def test_a_neighbour_in_the_same_64_is_out_too_and_another_is_not(store, clock, fail):
    await fail(MOST, "2001:db8:1:2::a")
    assert await is_out(store, clock, "2001:db8:1:2:ffff::b")
    assert not await is_out(store, clock, "2001:db8:1:3::a")


async def test_from_an_address_that_nobody_knows_nobody_is_kept_out(store, clock, fail):
    for unknown in ("", "unknown"):
        await fail(2 * MOST, unknown)
        assert not await is_out(store, clock, unknown)


async def test_while_the_store_is_away_nobody_is_kept_out_by_it(store, clock, fail):
    await fail(MOST)
    await store.close()
    assert not await is_out(store, clock)
    await fail()
    await store.open()
    assert await is_out(store, clock)
