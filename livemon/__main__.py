"""`python -m livemon`: the same as the command `livemon`."""

from livemon.cli import app

app()
