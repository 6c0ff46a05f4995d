"""A real runtime with synthesised calls, for trying livemon out: `python -m livemon.demo`.

It knows livemon only through `livemon_runtime`, as any voice agent does. Nothing is synthesised while it runs.
"""

from .guide import what_to_try

__all__ = ["what_to_try"]
