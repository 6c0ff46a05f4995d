"""livemon for the frameworks in which voice agents are written, one package each; each needs the extra of its name."""
