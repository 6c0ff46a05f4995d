"""The benchmark runs, and says what it measured beside what."""

from livemon.bench import twilio


async def test_it_measures_the_gateway_beside_a_plain_proxy() -> None:
    said: list[str] = []
    results = await twilio.run(calls=2, seconds=1, rounds=1, say=said.append)
    assert results[0].proxy > 0
    assert results[0].gateway > 0
    assert "what livemon adds" in twilio.report(results)
    assert len(said) == 1
