"""What `livemon demo` tells in the terminal."""


def what_to_try(url: str) -> str:
    """A few lines of plain text on what can be done with the demo at `url` (the address to open, link and all)."""
    return f"""\
livemon's demo is running: calls between made-up people and made-up companies, with real speech on both sides.

  Open   {url}

  Try this:
  1. Watch calls come and go for a minute. New ones light up at the top.
  2. Open one: the transcript grows word by word. Open a tool call to see its arguments, and its result as it comes in.
  3. Press Live Listen: you hear the caller and the agent, and neither of them can tell.
     Turn one of them down. Exit again, or just close the drawer.
  4. Press Take Over, and allow the microphone: the agent falls silent for good. Say something, then stop: the caller
     answers you. Close the drawer: the call bar keeps the call. Reload the page: you are on it again.
  5. Press End Call: the caller is disconnected, and the drawer says how the call ended.
  6. Leave the mouse alone: the arrow keys choose a call, Home and End jump, Enter opens, Esc closes.
  7. Open a second window: both see the same calls, who listens to which, and who has one. For a tablet in the same
     network start with LIVEMON_HOST=0.0.0.0, and open this machine's address there with a link of its own: make
     sign-in-link. (Take Over wants https there: LIVEMON_TLS_CERT and LIVEMON_TLS_KEY.)
  8. Stop Redis for ten seconds if you run your own (LIVEMON_REDIS_URL): the page says since when it is out of date,
     no call is lost, and it is right again by itself.

  To see more calls: make demo ARGS="--calls 200". To stop: Ctrl-C."""
