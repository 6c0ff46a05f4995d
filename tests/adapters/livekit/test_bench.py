"""The benchmark runs, and says what it measured beside what."""

from livemon.bench import livekit


async def test_it_measures_the_same_agent_with_and_without_livemon() -> None:
    said: list[str] = []
    results = await livekit.run(calls=1, seconds=1, rounds=1, say=said.append)
    assert results[0].alone > 0
    assert results[0].watched > 0
    assert "what livemon adds" in livekit.report(results)
    assert len(said) == 1
