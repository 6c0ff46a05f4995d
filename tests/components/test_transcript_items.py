"""The order of a transcript, against the plainest model of it, through many random histories."""

import random
from typing import Any

import pytest

from tests.components.conftest import Stage
from tests.components.messages import PARTIAL

pytestmark = pytest.mark.asyncio(loop_scope="session")

REPLAY = """async (history) => {
  const { TranscriptItems, SHOWN_AT_MOST } = await import("/assets/transcript_items.js");
  const model = new TranscriptItems();
  const states = [];
  for (const [act, ...given] of history) {
    const result = model[act](...given);
    const shown = model.shown();
    const { start, end, items } = model;
    const wrong = shown.length > SHOWN_AT_MOST || start < 0 || start > end || end > items.length;
    states.push({
      ids: model.items.map((item) => item.id),
      texts: model.items.map((item) => item.content),
      news: act === "put" ? result.map((item) => item.id) : null,
      inPlace: shown.every((item, at) => item === model.items[model.start + at]),
      wrong,
    });
  }
  return states;
}"""


class Plain:
    """What a transcript is, without regard to cost."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def put(self, items: list[dict[str, Any]]) -> list[str]:
        news: list[str] = []
        for item in items:
            old = self.items.get(item["id"])
            if item["final"] and (old is None or not old["final"]):
                news.append(item["id"])
            self.items[item["id"]] = item
        return news

    def remove(self, ids: list[str]) -> None:
        for gone in ids:
            self.items.pop(gone, None)

    @property
    def order(self) -> list[dict[str, Any]]:
        return sorted(self.items.values(), key=lambda item: (*item["key"], item["id"]))


def random_item(chance: random.Random) -> dict[str, Any]:
    n, final = chance.randrange(40), chance.random() < 0.6
    key = [chance.randrange(12) * 500, n if final else PARTIAL]
    return {"id": f"t{n}", "key": key, "role": "agent", "content": chance.randbytes(4).hex(), "final": final}


def random_history(chance: random.Random) -> list[list[Any]]:
    history: list[list[Any]] = []
    for _ in range(30):
        act = chance.choice(["put", "put", "put", "remove", "follow", "showEarlier", "showLater"])
        if act == "put":
            history.append([act, [random_item(chance) for _ in range(chance.randrange(1, 6))]])
        elif act == "remove":
            history.append([act, [f"t{chance.randrange(40)}" for _ in range(3)]])
        else:
            history.append([act])
    return history


@pytest.mark.parametrize("seed", range(40))
async def test_it_is_ordered_and_whole_after_any_history(stage: Stage, seed: int) -> None:
    history = random_history(random.Random(seed))
    states = await stage.page.evaluate(REPLAY, history)
    plain = Plain()
    for (act, *given), state in zip(history, states, strict=True):
        if act == "put":
            assert state["news"] == plain.put(given[0])
        elif act == "remove":
            plain.remove(given[0])
        assert state["ids"] == [item["id"] for item in plain.order]
        assert state["texts"] == [item["content"] for item in plain.order]
        assert state["inPlace"]
        assert not state["wrong"]


def numbered(first: int, last: int) -> list[dict[str, Any]]:
    items = range(first, last + 1)
    return [{"id": f"t{n}", "key": [n, n], "role": "agent", "content": "", "final": True} for n in items]


@pytest.mark.parametrize(
    ("kept", "newest", "older", "whole"),
    [
        ((1, 50), (40, 60), True, (1, 60)),  # they meet: nothing is missing in between
        ((1, 50), (60, 80), True, (60, 80)),  # a gap: what is earlier has to be asked for again
        ((1, 50), (40, 60), False, (40, 60)),  # the server has no earlier ones: neither have we
        ((1, 50), (1, 20), False, (1, 20)),  # a new incarnation, of which less is known
    ],
)
async def test_after_a_gap_what_was_read_is_kept_only_if_nothing_is_missing(
    stage: Stage, kept: tuple[int, int], newest: tuple[int, int], older: bool, whole: tuple[int, int]
) -> None:
    states = await stage.page.evaluate(REPLAY, [["reset", numbered(*kept)], ["refresh", numbered(*newest), older]])
    assert states[-1]["ids"] == [item["id"] for item in numbered(*whole)]


BOUNDS = """async (history) => {
  const { TranscriptItems } = await import("/assets/transcript_items.js");
  const model = new TranscriptItems();
  const numbered = (first, last) =>
    Array.from({ length: last - first + 1 }, (_, at) => first + at).map((n) => ({ id: `t${n}`, key: [n, n], final: true }));
  return history.map(([act, ...range]) => {
    model[act](...(range.length ? [numbered(...range)] : []));
    const shown = model.shown();
    return [model.items[0].id, model.items.length, shown[0].id, model.byId.size === model.items.length];
  });
}"""


async def test_memory_is_bounded_while_the_newest_is_followed(stage: Stage) -> None:
    states = await stage.page.evaluate(BOUNDS, [["put", 1, 12_000], ["follow"]])
    assert states[-1] == ["t2001", 10_000, "t11501", True]


async def test_memory_is_bounded_while_one_reads_back_and_the_place_is_kept(stage: Stage) -> None:
    """What stands above is forgotten; at the very top nothing is, until the call has gone on for as long again."""
    read = [["reset", 1, 9_900], ["showEarlier"], ["put", 9_901, 10_400], ["trim"]]
    states = await stage.page.evaluate(BOUNDS, read)
    assert states[1] == ["t1", 9_900, "t9251", True]
    assert states[-1] == ["t401", 10_000, "t9251", True]
    top = [["reset", 1, 400], ["put", 401, 12_000], ["trim"], ["put", 12_001, 20_001], ["trim"]]
    states = await stage.page.evaluate(BOUNDS, top)
    assert states[2] == ["t1", 12_000, "t1", True]
    assert states[-1] == ["t10002", 10_000, "t10002", True]
