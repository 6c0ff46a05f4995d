// A call and the supervisors who ask for it (docs/protocol.md, «Take-over»): one has it at most, and never a doubt who.
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "./redis.js";
import { payloadOf } from "./voice.js";

const LOST_MS = 3_000;
const UNKNOWN_MS = 5_000; // how long past the deadline the agent holds its tongue when nobody answers

export class Supervised {
  asked = 0; // claims whose answer is not known yet
  lost = false;
  #runtime;
  #call;
  #claim = "";
  #channel = "";
  #graceMs = 0;
  #heardAt = 0;
  #said = false; // what Redis was told of `lost`
  #subscribed = false;

  constructor(runtime, call) {
    [this.#runtime, this.#call] = [runtime, call];
  }

  /** Answer a `take_over` command; the script's word is what counts. */
  async answer(command) {
    const [runtime, call] = [this.#runtime, this.#call];
    const refusal = this.#refusal(command);
    this.asked += refusal ? 0 : 1;
    try {
      for (;;) {
        try {
          if (refusal) await this.#refuse(command, refusal);
          else await this.#accept(command);
          break;
        } catch (error) {
          runtime.complain(error);
          if (runtime.now() > command.deadline + UNKNOWN_MS) {
            call.announceAgain(); // refused: this memory is what counts, whatever Redis took
            break;
          }
          await sleep(200);
        }
      }
    } finally {
      this.asked -= refusal ? 0 : 1;
      call.generation = Math.max(call.generation, command.generation);
    }
    await call.sync();
  }

  #refusal(command) {
    const call = this.#call;
    if (call.over) return ["already_ended", "The call has ended."];
    if (command.claim_id === call.claim) return null; // theirs already: the answer is yes again
    if (command.generation <= call.generation) return ["too_late", "This claim was answered already."];
    if (command.deadline < this.#runtime.now()) return ["too_late", "The claim came after its deadline: the agent has the call."];
    const why = this.#runtime.refuses(command.by);
    return why ? ["refused", why] : null;
  }

  async #refuse({ claim_id, command_id }, [code, message]) {
    const { redis, events, key } = this.#runtime;
    const keys = [key(`call:${this.#call.id}`), events];
    const [word] = await run(redis, "refuse", keys, this.#call.id, claim_id, command_id, code, message);
    if (word === "accepted") this.#call.announceAgain();
  }

  async #accept({ claim_id, command_id, grace_ms }) {
    const [call, { redis, events, key }] = [this.#call, this.#runtime];
    const taken = { ...call.data, call_status: "taken_over" };
    const data = JSON.stringify(taken);
    const [word, rev, holder] = await run(redis, "accept", [key(`call:${call.id}`), events], call.id, claim_id, data, command_id);
    if (word !== "yes" || call.over) return;
    [call.controller, call.rev] = [JSON.parse(holder), rev];
    call.data.call_status = "taken_over"; // from here on the agent is silent, for good
    this.#follow(claim_id, grace_ms);
  }

  #follow(claim, graceMs) {
    if (claim === this.#claim) return;
    this.leave();
    [this.#claim, this.#graceMs, this.#heardAt] = [claim, graceMs, performance.now()];
    this.#channel = this.#runtime.audioChannel(this.#call.id, `supervisor:${claim}`);
    [this.lost, this.#said] = [false, false];
    this.look();
  }

  leave() {
    if (this.#claim) this.#runtime.hearing.sUnsubscribe(this.#channel).catch(() => {});
    [this.#claim, this.#subscribed] = ["", false];
  }

  /** Look after them, four times a second. */
  look() {
    if (!this.#claim || this.#call.over) return;
    this.#subscribe();
    const silent = performance.now() - this.#heardAt;
    if (silent > this.#graceMs) return this.#call.end("supervisor_lost");
    if (this.lost !== silent > LOST_MS) {
      this.lost = !this.lost;
      this.#call.sync();
    }
  }

  #subscribe() {
    if (this.#subscribed) return;
    this.#subscribed = true;
    const claim = this.#claim;
    this.#runtime.hearing.sSubscribe(this.#channel, (packet) => this.#hear(claim, packet), true).catch(() => {
      if (claim === this.#claim) this.#subscribed = false;
    });
  }

  #hear(claim, packet) {
    const payload = payloadOf(packet);
    if (payload === null || claim !== this.#claim) return;
    this.#heardAt = performance.now();
    this.#runtime.play(this.#call, payload);
  }

  /** Tell Redis whether they are heard. */
  async sync() {
    const [call, { redis, events, key }] = [this.#call, this.#runtime];
    const [lost, claim] = [this.lost, this.#claim];
    if (!claim || call.over || lost === this.#said) return;
    const silentMs = lost ? Math.round(performance.now() - this.#heardAt) : "";
    const words = [call.id, call.incarnation, claim, silentMs];
    const [word, rev, holder] = await run(redis, "supervisor", [key(`call:${call.id}`), events], ...words);
    if (word === "announce") return call.announceAgain();
    if (claim !== this.#claim) return;
    this.#said = lost;
    if (word === "ok") [call.controller, call.rev] = [JSON.parse(holder), rev];
  }
}
