"""From a name to an engine: livemon's own ones, or a function of the user's."""

import importlib
from collections.abc import Callable

from .engine import Engine
from .errors import EngineFailed, EngineUnknown, HearingError

_OWN = {"pocketsphinx": "livemon_runtime.adapters.hearing.pocketsphinx:open_pocketsphinx"}
KNOWN = tuple(_OWN)


def open_engine(name: str) -> Engine:
    """The engine called `name`: one of `KNOWN`, or `module:function` for the user's own.

    The function takes no argument and returns an Engine; settings are its own affair. To be called in the event loop in
    which the engine will be used. Raises a HearingError that says what to do: EngineUnknown, EngineNotInstalled,
    ModelMissing or EngineFailed.
    """
    function = _function(name)
    try:
        engine = function()
    except HearingError:
        raise
    except Exception as error:
        raise EngineFailed(name, f"it raised {type(error).__name__}: {error}") from error
    if not isinstance(engine, Engine):
        raise EngineFailed(name, f"it returned {type(engine).__name__}, which lacks listen, close or counters")
    return engine


def _function(name: str) -> Callable[[], object]:
    module_name, colon, function_name = _OWN.get(name, name).partition(":")
    if not (module_name and colon and function_name):
        raise EngineUnknown(name, KNOWN, "it is neither a name that livemon knows nor `module:function`")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise EngineUnknown(name, KNOWN, f"importing {module_name} said: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise EngineUnknown(name, KNOWN, f"{module_name} has no function {function_name}")
    return function
