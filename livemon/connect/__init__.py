"""How voice agents and programs are connected to this livemon, as the Connect page says it: addresses, and lines to copy."""
