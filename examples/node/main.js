// An agent that takes calls, one after another, with a tone for each voice:
//   node main.js redis://127.0.0.1:6379
// LIVEMON_WORKSPACE names another workspace; LIVEMON_REFUSES a supervisor (by user id) who is always refused.
import { setTimeout as sleep } from "node:timers/promises";
import { Runtime } from "./runtime.js";
import { tone } from "./voice.js";

const LINES = [
  ["agent", "Good morning, this is the Blue Table. How can I help?"],
  ["user", "I would like a table for two, this evening at eight."],
  ["agent", "Let me look. We have one by the window."],
  ["user", "Lovely, I take it."],
];
const LONGEST_MS = 600_000;
const VOICES = { caller: tone(450), agent: tone(850) };

let [speaker, waves, frames, stopped] = ["", 0, 0, false];

/** The phone line: what the supervisor says to the caller. Once a second it writes down the tone that came. */
function play(call, payload) {
  for (let n = 1; n < payload.length; n += 1) waves += (payload[n] & 0x80) !== (payload[n - 1] & 0x80) ? 0.5 : 0;
  frames += payload.some((byte) => (byte & 0x7f) < 0x50) ? 1 : 0;
  if (frames < 25) return;
  console.log(`${call.id}: the caller hears ${Math.round(waves / (frames * 0.02))} Hz`);
  [waves, frames] = [0, 0];
}

/** One turn as it is spoken: partials word by word, then what was said. Whoever is cut off has said so much. */
async function turn(call, role, text) {
  const [entry, words] = [call.entry(role, { content: "", final: false }), text.split(" ")];
  const cut = () => call.over || stopped || (role === "agent" && call.agentSilent);
  speaker = role === "user" ? "caller" : role;
  for (let n = 1; n <= words.length && !cut(); n += 1) {
    entry.content = words.slice(0, n).join(" ");
    call.partial(entry);
    await sleep(250);
  }
  speaker = "";
  if (call.over) return;
  if (!entry.content) call.partial({ ...entry, retracted: true });
  else call.add({ ...entry, final: true, ...(cut() && { interrupted: true }) });
}

async function converse(call) {
  for (let n = 0; !call.over && !stopped; n += 1) {
    if (call.elapsed > LONGEST_MS) call.end("max_duration_reached");
    const [role, text] = LINES[n % LINES.length];
    if (role === "user" || !call.agentSilent) await turn(call, role, text);
    await sleep(300);
  }
}

/** The sound card: 20 ms of each voice, by the clock. */
function speak(call) {
  let due = performance.now();
  const timer = setInterval(() => {
    for (; due <= performance.now(); due += 20) {
      call.say("caller", VOICES.caller); // the line is never quite silent
      call.say("agent", speaker === "agent" ? VOICES.agent : null);
    }
    if (call.over) clearInterval(timer);
  }, 10);
}

const url = process.argv[2] ?? "redis://127.0.0.1:6379";
const runtime = new Runtime(url, {
  name: "node-example",
  workspace: process.env.LIVEMON_WORKSPACE,
  play,
  inject: (call, content) => console.log(`${call.id}: the agent is told: ${content}`),
  refuses: (user) => (user === process.env.LIVEMON_REFUSES ? "A card number is being read out" : ""),
});
await runtime.start();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => (stopped = true));
while (!stopped) {
  const call = runtime.call({
    direction: "inbound",
    from_number: "+12125550184",
    agent_name: "Blue Table (Node)",
    audio: { caller: "pcmu", agent: "pcmu" },
    capabilities: ["listen", "take_over", "end", "inject"],
    metadata: { table: "window" },
  });
  console.log(`${call.id}: it rings, runtime ${runtime.id}`);
  speak(call);
  await converse(call);
  console.log(`${call.id}: over (${call.data.disconnection_reason ?? "the program is stopped"})`);
}
await runtime.stop();
