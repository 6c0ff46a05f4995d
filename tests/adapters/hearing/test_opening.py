"""From a name to an engine, and what is said where there is none."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from livemon_runtime.adapters.hearing import (
    KNOWN,
    Ear,
    EngineFailed,
    EngineNotInstalled,
    EngineUnknown,
    HearingError,
    ModelMissing,
    open_engine,
)
from livemon_runtime.adapters.hearing.pocketsphinx import Model, PocketsphinxEngine
from livemon_runtime.errors import LivemonError

_OWN = """
class Mine:
    counters = {}
    def listen(self): ...
    async def close(self): ...
def mine(): return Mine()
def raises(): raise OSError("no licence")
def nothing(): return object()
number = 5
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "own_ears.py").write_text(_OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_ears"
    sys.modules.pop("own_ears", None)


def test_a_function_of_the_users_own_is_found_and_called(module: str) -> None:
    assert type(open_engine(f"{module}:mine")).__name__ == "Mine"


@pytest.mark.parametrize(
    "name", ["", "whisper", ":", "a:", ":b", "no_such_module:ears", "own_ears:absent", "own_ears:number"]
)
def test_a_name_that_is_no_engine_is_refused_with_those_there_are(name: str, module: str) -> None:
    with pytest.raises(EngineUnknown) as refused:
        open_engine(name)
    assert refused.value.known == KNOWN
    assert "pocketsphinx" in str(refused.value)
    assert "module:function" in str(refused.value)
    assert isinstance(refused.value, HearingError | LivemonError)


@pytest.mark.parametrize(("function", "why"), [("raises", "no licence"), ("nothing", "returned object")])
def test_a_function_that_gives_no_engine_is_named_with_why(function: str, why: str, module: str) -> None:
    with pytest.raises(EngineFailed, match=why) as failed:
        open_engine(f"{module}:{function}")
    assert failed.value.name == f"{module}:{function}"


async def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(EngineNotInstalled, match=r"pip install 'livemon-runtime\[pocketsphinx\]'") as missing:
        open_engine("pocketsphinx")
    assert missing.value.extra == "pocketsphinx"


@pytest.mark.parametrize("part", ["acoustic model", "language model", "dictionary"])
async def test_a_model_without_one_of_its_parts_is_refused_at_once_by_that_part(part: str, tmp_path: Path) -> None:
    english = Model.english()
    paths = {"acoustic model": english.acoustic, "language model": english.language, "dictionary": english.dictionary}
    paths[part] = tmp_path / "absent"
    with pytest.raises(ModelMissing) as missing:
        PocketsphinxEngine(model=Model(*paths.values()))
    assert missing.value.part == part
    assert str(tmp_path) in str(missing.value)


async def test_the_open_engine_keeps_the_protocol() -> None:
    engine = PocketsphinxEngine(processes=1)
    ear: Ear = engine.listen()
    await ear.close()
    await engine.close()
    assert dict(engine.counters) == {}
