"""Commands to runtimes: end a call (and, with take-over, claim it)."""
