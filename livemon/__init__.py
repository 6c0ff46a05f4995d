"""Open, self-hosted live monitoring for calls run by voice AI agents."""
