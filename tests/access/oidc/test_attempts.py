"""A sign-in that was begun is finished by the same browser, at the same provider, once, in time."""

import asyncio
import threading

import pytest
from sqlmodel import delete, select

from livemon.access.oidc import attempts
from livemon.access.oidc.errors import AttemptGone, TooManyAttempts
from livemon.store.instants import to_ms
from livemon.store.store import Store
from livemon.store.tables import SignInAttempt

GENEROUS_S = 60.0


async def begun(store, clock, provider="own", address="192.0.2.7"):
    return await attempts.begin(store, provider, next_path="/live", address=address, now=clock)


async def taken(store, clock, attempt, provider="own"):
    cookies = {attempt.cookie: attempt.secret}
    return await attempts.take(store, provider, attempt.state, cookies, now=clock)


async def test_what_was_begun_is_finished_with_the_same_secrets(store, clock):
    attempt = await begun(store, clock)
    found = await taken(store, clock, attempt)
    assert (found.nonce, found.verifier, found.next) == (attempt.nonce, attempt.verifier, "/live")


async def test_no_two_have_anything_in_common(store, clock):
    made = [await begun(store, clock) for _ in range(20)]
    for part in ("state", "secret", "nonce", "verifier", "cookie"):
        assert len({getattr(attempt, part) for attempt in made}) == 20
    assert all(len(attempt.verifier) >= 43 for attempt in made)  # RFC 7636, section 4.1


async def test_it_is_finished_within_ten_minutes_or_not_at_all(store, clock):
    in_time, late = await begun(store, clock), await begun(store, clock)
    clock.forward(minutes=9, seconds=59)
    assert await taken(store, clock, in_time)
    clock.forward(seconds=1)
    with pytest.raises(AttemptGone):
        await taken(store, clock, late)


async def test_it_is_finished_once_and_with_the_provider_with_which_it_was_begun(store, clock):
    attempt = await begun(store, clock)
    with pytest.raises(AttemptGone):
        await taken(store, clock, attempt, "other")
    with pytest.raises(AttemptGone):
        await taken(store, clock, attempt)


async def test_a_browser_that_has_not_begun_it_finishes_nothing_and_uses_nothing_up(store, clock):
    attempt, others = await begun(store, clock), await begun(store, clock)
    for cookies in ({}, {attempt.cookie: "planted"}, {attempt.cookie: others.secret}, {others.cookie: attempt.secret}):
        with pytest.raises(AttemptGone):
            await attempts.take(store, "own", attempt.state, cookies, now=clock)
    assert await taken(store, clock, attempt)


async def test_when_it_was_begun_is_known(store, clock):
    began = clock()
    attempt = await begun(store, clock)
    clock.forward(minutes=3)
    assert (await taken(store, clock, attempt)).begun_at == to_ms(began)


async def test_of_two_who_come_with_one_state_at_the_same_moment_one_gets_it(store, database_url, clock, monkeypatch):
    """The second takes it at another node, whole, between the first one's look and its hand on it."""
    attempt, others = await begun(store, clock), []

    async def take_elsewhere():
        other = Store(database_url)
        await other.open()
        others.append(await taken(other, clock, attempt))
        await other.close()

    def meanwhile(table):
        monkeypatch.undo()
        thread = threading.Thread(target=lambda: asyncio.run(take_elsewhere()))
        thread.start()
        thread.join(GENEROUS_S)
        return delete(table)

    monkeypatch.setattr(attempts, "delete", meanwhile)
    with pytest.raises(AttemptGone):
        await taken(store, clock, attempt)
    assert len(others) == 1


async def test_the_store_knows_no_secret(store, clock):
    attempt = await begun(store, clock)
    async with store.session() as session:
        kept = repr((await session.exec(select(SignInAttempt))).all())
    for secret in (attempt.state, attempt.secret, attempt.nonce, attempt.verifier):
        assert secret not in kept


async def test_a_network_of_one_person_is_one_address(store, clock, monkeypatch):
    monkeypatch.setattr(attempts, "MOST_OF_ONE_ADDRESS", 3)
    for n in range(3):
        await begun(store, clock, address=f"2001:db8::{n}")
    with pytest.raises(TooManyAttempts):
        await begun(store, clock, address="2001:db8::ffff:1")
    await begun(store, clock, address="2001:db8:0:1::1")


async def test_one_address_cannot_begin_without_end_and_old_ones_are_forgotten(store, clock, monkeypatch):
    monkeypatch.setattr(attempts, "MOST_OF_ONE_ADDRESS", 3)
    for _ in range(3):
        await begun(store, clock)
    with pytest.raises(TooManyAttempts):
        await begun(store, clock)
    await begun(store, clock, address="192.0.2.8")
    clock.forward(minutes=10)
    await begun(store, clock)
    async with store.session() as session:
        assert len((await session.exec(select(SignInAttempt))).all()) == 1


async def test_all_together_cannot_either(store, clock, monkeypatch):
    monkeypatch.setattr(attempts, "MOST", 3)
    for n in range(3):
        await begun(store, clock, address=f"192.0.2.{n}")
    with pytest.raises(TooManyAttempts):
        await begun(store, clock, address="192.0.2.9")
