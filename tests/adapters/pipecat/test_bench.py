"""The benchmark runs, and says what it measured beside what."""

from livemon.bench import pipecat


async def test_it_measures_the_same_bot_with_and_without_livemon() -> None:
    said: list[str] = []
    results = await pipecat.run(calls=1, seconds=1, rounds=1, say=said.append)
    assert results[0].alone > 0
    assert results[0].watched > 0
    assert results[0].alone != results[0].watched, "one process was measured for both"
    assert "what livemon adds" in pipecat.report(results)
    assert len(said) == 1
