"""Speech-to-text for calls whose bot says no words (docs/hearing.md): an interface, and one open engine that runs here.

    engine = open_engine("pocketsphinx")
    ear = engine.listen()
    ear.heard(on_text)
    ear.hear(pcm)

Needs `pip install livemon-runtime[pocketsphinx]`, or an engine of your own (`engine.Engine`).
"""

from .engine import SAMPLE_RATE, Ear, Engine, OnText
from .errors import EngineClosed, EngineFailed, EngineNotInstalled, EngineUnknown, HearingError, ModelMissing
from .opening import KNOWN, open_engine

__all__ = [
    "KNOWN",
    "SAMPLE_RATE",
    "Ear",
    "Engine",
    "EngineClosed",
    "EngineFailed",
    "EngineNotInstalled",
    "EngineUnknown",
    "HearingError",
    "ModelMissing",
    "OnText",
    "open_engine",
]
