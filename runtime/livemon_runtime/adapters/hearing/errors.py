"""Why there is no transcript: the errors of opening and using a speech-to-text engine, each with what to do.

HearingError
├── EngineUnknown        no engine of this name, and no `module:function` that can be found
├── EngineNotInstalled   an engine of livemon's whose extra is missing
├── ModelMissing         an engine without the acoustic or language model that it needs
├── EngineFailed         a function that was to return an engine raised, or returned something else
└── EngineClosed         an ear asked of an engine that was closed
"""

from pathlib import Path

from ...errors import LivemonError


class HearingError(LivemonError):
    """Base of the errors of speech-to-text. Calls go on without it: what is missing is their transcript."""


class EngineUnknown(HearingError, ValueError):
    """`name` is no engine. `known` are livemon's own names, `why` what was wrong."""

    def __init__(self, name: str, known: tuple[str, ...], why: str) -> None:
        super().__init__(
            f"there is no speech-to-text engine {name[:160]!r}: {why}. Use {' or '.join(known)}, or `module:function` of "
            "your own, which takes no argument and returns an Engine (docs/hearing.md)"
        )
        self.name, self.known, self.why = name, known, why


class EngineNotInstalled(HearingError, ImportError):
    """The library of an engine of livemon's cannot be imported: `extra` brings it, `why` is what Python said."""

    def __init__(self, engine: str, extra: str, why: str) -> None:
        super().__init__(
            f"the speech-to-text engine {engine} is not installed ({why}): run pip install 'livemon-runtime[{extra}]', "
            "or start without speech-to-text; calls then have no transcript"
        )
        self.engine, self.extra, self.why = engine, extra, why


class ModelMissing(HearingError, FileNotFoundError):
    """A part of the model (`part`) is not where it is looked for (`path`)."""

    def __init__(self, part: str, path: Path) -> None:
        super().__init__(
            f"the speech-to-text model has no {part} at {path}: install pocketsphinx again "
            "(pip install --force-reinstall 'livemon-runtime[pocketsphinx]'), whose wheel brings the English model, or "
            "say where another one stands: PocketsphinxEngine(model=Model(acoustic, language, dictionary))"
        )
        self.part, self.path = part, path


class EngineFailed(HearingError, RuntimeError):
    """The user's own function did not give an engine: `name` says which function, `why` what happened."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the speech-to-text engine {name[:160]!r} cannot be opened: {why}")
        self.name, self.why = name, why


class EngineClosed(HearingError, RuntimeError):
    """`listen` after `close`."""

    def __init__(self) -> None:
        super().__init__("this speech-to-text engine was closed: open another one")
