"""`python -m livemon_runtime` is the command `livemon-runtime`."""

from .cli import main

main()
