"""Whether a runtime, in whatever language, keeps docs/protocol.md: looked at from outside, with a live call of its own.

`livemon-runtime conform` runs it. It plays livemon: it listens, commands, claims and speaks, and believes Redis alone.
"""
