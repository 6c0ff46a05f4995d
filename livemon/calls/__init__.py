"""The in-process registry of live calls, its feed from Redis, and the transcripts."""
