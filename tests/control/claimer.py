"""A livemon node that does nothing but claim: for each line `{"call_id", "claims": [claim_id…]}` on stdin all of them at once.

It answers each line by one on stdout: `[[claim_id, status, the claim that stands]…]`. Started by `claimer URL WORKSPACE`.
"""

import asyncio
import json
import sys

from livemon.control.claim_scripts import Asking, ClaimScripts
from livemon.redis_client import connect
from livemon_runtime.keys import Keys


async def main(url: str, workspace: str) -> None:
    client = connect(url)
    scripts = ClaimScripts(client, Keys(workspace))
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        askings = [
            Asking(order["call_id"], f"u-{one}", one, one, f"{order['call_id']}-{one}", 30_000, 2**52)
            for one in order["claims"]
        ]
        answers = await asyncio.gather(*(scripts.claim(one, "rt-1") for one in askings))
        told = [
            (one.claim_id, answer.status, answer.claim.claim_id if answer.claim else None)
            for one, answer in zip(askings, answers, strict=True)
        ]
        print(json.dumps(told), flush=True)
    await client.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
