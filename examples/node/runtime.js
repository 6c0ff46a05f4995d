// The runtime: its heartbeat, the commands to it, and who listens (docs/protocol-scripts.md, «The order of things»).
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Call } from "./call.js";
import { ask, connect, run } from "./redis.js";

const REMEMBERED_MS = 600_000;
const MOST_UNSENT = 200;

function read(json) {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

export class Runtime {
  id = `rt-${randomBytes(8).toString("hex")}`;
  #calls = new Map();
  #over = new Map(); // ended calls by id, the JSON that ended them
  #done = new Map(); // results by command id
  #offset = 0;
  #unsent = 0;
  #running = true;
  #away = false;

  /** `play(call, payload)`: a supervisor's 20 ms to the caller; `inject(call, content)`; `refuses(user)`: why, or "". */
  constructor(url, { name, workspace = "default", play, inject, refuses }) {
    this.info = JSON.stringify({ name, version: "1.0.0", protocol: 1 });
    Object.assign(this, { workspace, play, inject, refuses });
    this.key = (rest) => `livemon:{${workspace}}:${rest}`;
    [this.calls, this.events] = [this.key("calls"), this.key("events")];
    this.members = this.key(`runtime:${this.id}:calls`);
    this.commands = this.key(`runtime:${this.id}:commands`);
    [this.redis, this.asking, this.speaking, this.hearing] = Array.from({ length: 4 }, () => connect(url));
  }

  /** Begin, whether Redis is there or not: what the calls say is kept until it is. */
  async start() {
    await Promise.race([...["ready", "error"].map((event) => once(this.redis, event)), sleep(2_000)]).catch(() => {});
    await this.#beat().catch((error) => this.complain(error));
    this.looking = setInterval(() => this.#look(), 250);
    this.parts = [this.#forever(() => this.#beat(), 5_000), this.#forever(() => this.#tap(), 1_000), this.#listen()];
  }

  /** Redis's time in milliseconds. */
  now() {
    return Math.round(performance.timeOrigin + performance.now() + this.#offset);
  }

  audioChannel(callId, voice) {
    return `livemon:{${this.workspace}:${callId}}:audio:${voice}`;
  }

  call(fields) {
    const call = new Call(this, fields);
    this.#calls.set(call.id, call);
    return call;
  }

  /** Audio and partials are for the moment: what Redis does not take at once is dropped. */
  publish(channel, message) {
    if (!this.speaking.isReady || this.#unsent >= MOST_UNSENT) return;
    this.#unsent += 1;
    const sent = () => (this.#unsent -= 1);
    this.speaking.sPublish(channel, message).then(sent, sent);
  }

  complain(error) {
    if (!this.#away) console.error(`Redis: ${error.message}; calls go on, and it is told again when it is back`);
    this.#away = true;
  }

  /** End what is left, and say that nobody is here any more. */
  async stop() {
    for (const call of this.#calls.values()) call.end("agent_hangup");
    await Promise.race([this.#settled(), sleep(3_000)]);
    this.#running = false;
    clearInterval(this.looking);
    await ask(this.redis, ["DEL", this.key(`runtime:${this.id}`), this.members, this.commands]).catch(() => {});
    for (const client of [this.redis, this.asking, this.speaking, this.hearing]) client.destroy();
  }

  async #settled() {
    while ([...this.#calls.values()].some((call) => !call.done)) await sleep(50);
  }

  async #forever(work, pause) {
    while (this.#running) {
      const began = performance.now();
      await work().catch((error) => this.#running && this.complain(error));
      await sleep(this.#away ? 500 : Math.max(0, pause - (performance.now() - began)), undefined, { ref: false });
    }
  }

  #look() {
    for (const call of this.#calls.values()) {
      call.supervised.look();
      if (!call.done) continue;
      this.#over.set(call.id, JSON.stringify(call.data));
      this.#calls.delete(call.id);
    }
    for (const id of [...this.#over.keys()].slice(0, -1_000)) this.#over.delete(id);
  }

  // --- every five seconds: this runtime lives, and what has Redis lost?

  async #beat() {
    const asked = performance.now();
    const [seconds, microseconds] = await ask(this.redis, ["TIME"]);
    const local = performance.timeOrigin + (asked + performance.now()) / 2;
    this.#offset = Number(seconds) * 1_000 + Number(microseconds) / 1_000 - local;
    await ask(this.redis, ["SET", this.key(`runtime:${this.id}`), this.info, "EX", 15]);
    for (const key of [this.members, this.commands]) await ask(this.redis, ["EXPIRE", key, 3_600]);
    this.#away = false;
    for (const call of [...this.#calls.values()]) {
      const before = call.state;
      const stored = await ask(this.redis, ["HMGET", this.key(`call:${call.id}`), "incarnation", "rev", "controller"]);
      const listed = await ask(this.redis, ["ZSCORE", this.calls, call.id]);
      const [newest] = await ask(this.redis, ["XREVRANGE", this.key(`call:${call.id}:transcript`), "+", "-", "COUNT", 1]);
      call.compare(before, stored, listed, newest ? parseInt(newest[0], 10) : 0);
      await this.#lookAtTap(call);
      await call.sync();
    }
    for (const id of await ask(this.redis, ["SMEMBERS", this.members])) if (!this.#calls.has(id)) await this.#endStranger(id);
  }

  /** A call that stands as ours, and is over or was never here: nobody else ends it. */
  async #endStranger(id) {
    const [hash, transcript, tap] = ["", ":transcript", ":tap"].map((part) => this.key(`call:${id}${part}`));
    const [incarnation, data] = await ask(this.redis, ["HMGET", hash, "incarnation", "data"]);
    if (incarnation === null) {
      await ask(this.redis, ["SREM", this.members, id]);
      await ask(this.redis, ["ZREM", this.calls, id]);
      return;
    }
    const lost = { call_status: "error", end_timestamp: this.now(), disconnection_reason: "error_unknown_to_runtime" };
    const last = this.#over.get(id) ?? JSON.stringify({ ...read(data), call_id: id, ...lost });
    await run(this.redis, "end", [hash, this.calls, this.events, this.members, transcript, tap], id, incarnation, this.id, last);
  }

  // --- who listens

  async #lookAtTap(call) {
    const newest = await ask(this.redis, ["ZREVRANGE", this.key(`call:${call.id}:tap`), 0, 0, "WITHSCORES"]);
    call.tappedUntil = Number(newest[1] ?? 0);
  }

  async #tap() {
    for (const call of [...this.#calls.values()]) if (call.tappedUntil > this.now()) await this.#lookAtTap(call);
  }

  // --- commands

  async #listen() {
    for (let last = "0"; this.#running; ) {
      try {
        const answer = await ask(this.asking, ["XREAD", "BLOCK", 2_000, "STREAMS", this.commands, last], 4_000);
        for (const [id, [, data]] of answer?.[0][1] ?? []) {
          last = id;
          this.#obey(data).catch((error) => this.complain(error));
        }
        if (!answer) last = await this.#stillThere(last);
      } catch {
        await sleep(500, undefined, { ref: false });
      }
    }
  }

  /** The cursor; from the start again where Redis has lost what was read. */
  async #stillThere(last) {
    const [newest] = await ask(this.asking, ["XREVRANGE", this.commands, "+", "-", "COUNT", 1]);
    return newest ? last : "0";
  }

  async #obey(data) {
    const command = read(data);
    if (!command?.command_id) return console.error(`a command that is none: ${String(data).slice(0, 200)}`);
    for (const [id, { at }] of this.#done) if (this.now() - at > REMEMBERED_MS) this.#done.delete(id);
    const done = this.#done.get(command.command_id);
    if (done) return done.error === undefined ? undefined : this.#result(command, done.error);
    const call = this.#calls.get(command.call_id);
    if (command.type === "take_over" && call) return call.supervised.answer(command);
    const memory = { at: this.now() };
    this.#done.set(command.command_id, memory);
    memory.error = await this.#do(command, call);
    await this.#result(command, memory.error);
  }

  /** Do it; what went wrong, null if nothing did. */
  async #do(command, call) {
    if (command.deadline < this.now()) return { code: "too_late", message: "The command came after its deadline." };
    if (!call || call.over) {
      if (!call && !this.#over.has(command.call_id)) return { code: "not_found", message: "There is no such call here." };
      return command.type === "end" ? null : { code: "already_ended", message: "The call has ended." };
    }
    if (command.type === "tap") await this.#lookAtTap(call);
    else if (command.type === "end") call.end("manual_stopped");
    else if (command.type === "inject") {
      this.inject(call, command.content);
      if (command.content) call.add(call.entry("injected", { content: command.content, by: command.by_name }));
    } else return { code: "unsupported", message: `This runtime knows no ${command.type}.` };
    return null;
  }

  async #result({ command_id, call_id }, error) {
    const result = JSON.stringify({ command_id, call_id, ok: error === null, ...(error && { error }) });
    for (let tries = 0; ; tries += 1) {
      try {
        return await run(this.redis, "result", [this.key(`call:${call_id}`), this.events], call_id, result);
      } catch (problem) {
        if (tries === 50) throw problem;
        await sleep(200);
      }
    }
  }
}
