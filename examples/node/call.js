// One call: what this process knows of it, which is the truth, and how Redis is made to say the same (docs/protocol.md).
import { randomBytes } from "node:crypto";
import { run } from "./redis.js";
import { Supervised } from "./supervised.js";
import { Voice } from "./voice.js";

function claimOf(json) {
  try {
    return JSON.parse(json).claim_id ?? "";
  } catch {
    return ""; // none, or one that cannot be read
  }
}

const id = (prefix) => prefix + randomBytes(8).toString("hex");

export class Call {
  constructor(runtime, fields) {
    const now = runtime.now();
    this.data = { call_id: id("call-"), call_type: "phone_call", start_timestamp: now, call_status: "ongoing", ...fields };
    this.id = this.data.call_id;
    this.incarnation = id("");
    this.rev = 0;
    this.controller = null; // the supervisor who has the caller
    this.generation = 0; // the highest claim that was answered
    this.supervised = new Supervised(runtime, this);
    this.voices = { caller: new Voice(), agent: new Voice() };
    this.tappedUntil = 0;
    this.done = false; // Redis has its end
    this._runtime = runtime;
    this._entries = [];
    this._stored = 0; // how many of them Redis has
    this._said = ""; // the call's JSON as Redis has it
    this._announced = this._resumed = false;
    this._count = 0;
    this._keys = ["", ":transcript", ":tap"].map((part) => runtime.key(`call:${this.id}${part}`));
    this.sync();
  }

  get over() {
    return ["ended", "error"].includes(this.data.call_status);
  }

  /** Whether the agent has to hold its tongue: a supervisor has the caller, or it is not known whether one has. */
  get agentSilent() {
    return this.controller !== null || this.supervised.asked > 0;
  }

  get elapsed() {
    return Math.max(0, this._runtime.now() - this.data.start_timestamp);
  }

  // --- what the bot says: none of this waits for Redis

  entry(role, fields) {
    this._count += 1;
    return { id: `e-${this._count}`, role, time_ms: this.elapsed, ...fields };
  }

  /** An entry for good. */
  add(entry) {
    this._entries.push(JSON.stringify(entry));
    this.sync();
  }

  /** A turn so far: for whoever looks on, never stored. */
  partial(entry) {
    this._runtime.publish(`${this._keys[0]}:partials`, JSON.stringify(entry));
  }

  end(reason) {
    if (this.over) return;
    Object.assign(this.data, { call_status: "ended", end_timestamp: this._runtime.now(), disconnection_reason: reason });
    this.supervised.leave();
    this.sync();
  }

  /** 20 ms of a voice; null where it is silent. */
  say(name, payload) {
    const tapped = this.tappedUntil > this._runtime.now();
    const wanted = !this.over && (name === "caller" ? tapped || this.controller : tapped && !this.agentSilent);
    const packet = this.voices[name].packet(wanted ? payload : null);
    if (packet) this._runtime.publish(this._runtime.audioChannel(this.id, name), packet);
  }

  // --- Redis is made to say the same

  /** Send what Redis lacks; what fails is sent at the next heartbeat. One at a time. */
  async sync() {
    this._again = true;
    if (this._syncing) return;
    this._syncing = true;
    try {
      while (this._again && !this.done) {
        this._again = false;
        await this._send();
      }
    } catch (error) {
      this._runtime.complain(error);
    } finally {
      this._syncing = false;
    }
  }

  async _send() {
    if (!this._announced) await this._announce();
    const [hash, transcript, tap] = this._keys;
    const { redis, calls, events, members } = this._runtime;
    while (this._announced && this._stored < this._entries.length) {
      const batch = this._entries.slice(this._stored, this._stored + 100);
      const answer = await run(redis, "append", [transcript, hash], this.incarnation, this._stored + 1, ...batch);
      this._stored = answer[1];
      if (answer[0] === "announce") this.announceAgain();
    }
    const data = JSON.stringify(this.data);
    if (!this._announced || data === this._said) return this.supervised.sync();
    const [word, rev] = this.over
      ? await run(redis, "end", [hash, calls, events, members, transcript, tap], this.id, this.incarnation, this._runtime.id, data)
      : await run(redis, "update", [hash, calls, events], this.id, this.incarnation, data);
    if (word === "announce") return this.announceAgain();
    [this.rev, this._said, this.done] = [rev, data, this.over];
    return this.supervised.sync();
  }

  async _announce() {
    const live = { ...this.data, call_status: this.controller ? "taken_over" : "ongoing" };
    for (const name of ["end_timestamp", "disconnection_reason"]) delete live[name];
    const { redis, calls, events, members } = this._runtime;
    const [hash, transcript] = this._keys;
    const incarnation = this.incarnation;
    const words = [this.data.start_timestamp, this._resumed ? 1 : 0, this.generation];
    const holder = this.controller ? JSON.stringify(this.controller) : "";
    const keys = [hash, calls, events, members, transcript];
    const answer = await run(redis, "announce", keys, this.id, this._runtime.id, incarnation, JSON.stringify(live), ...words, holder);
    if (incarnation !== this.incarnation) return;
    if (answer[0] === "ended") this.done = true;
    [this._announced, this.rev, this._stored, this._said] = [true, answer[1], answer[2], JSON.stringify(live)];
  }

  /** Redis has lost the call, or has it otherwise: say it again, as it is here. */
  announceAgain() {
    [this.incarnation, this._announced, this._resumed, this._again] = [id(""), false, true, true];
  }

  /** What a heartbeat found: Redis has this of the call. `before`: what was known here when it was asked. */
  compare(before, [incarnation, rev, controller], listed, lastEntry) {
    if (!this._announced || this.over || before.incarnation !== this.incarnation) return;
    const other = before.claim === this.claim && !this.supervised.asked && claimOf(controller) !== before.claim;
    if (incarnation !== before.incarnation || Number(rev) < before.rev || listed === null || other) this.announceAgain();
    else if (lastEntry < before.stored) this._stored = lastEntry;
  }

  get claim() {
    return this.controller?.claim_id ?? "";
  }

  get state() {
    return { incarnation: this.incarnation, rev: this.rev, claim: this.claim, stored: this._stored };
  }
}
