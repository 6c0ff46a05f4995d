/**
 * Everything about one call: what it is, what is said in it, and what one can do. It lives as long as that call is open, has
 * the call's socket, and hands on what comes; a call opened next gets a panel of its own, so nothing is carried over.
 */

import { CallFacts } from "./call_facts.js";
import { CallFooter } from "./call_footer.js";
import { callDuration, callState, callTitle, isOver } from "./call_words.js";
import { ServerClock } from "./clock.js";
import { clockTime, duration, text } from "./format.js";
import { heldCall } from "./held_call.js";
import { icons } from "./icons.js";
import { PausedTranscript } from "./paused_transcript.js";
import { LiveSocket } from "./socket.js";
import { TalkEnding } from "./talk_ending.js";
import { isOnPage, pausedWords, standing } from "./talk_standing.js";
import { Transcript } from "./transcript.js";

/** A server that has not spoken after this long is worth a word. */
const PATIENCE_MS = 3_000;

export const CallPanel = {
  components: { CallFacts, CallFooter, TalkEnding, Transcript },
  props: {
    callId: { type: String, required: true },
    texts: { type: Object, required: true },
    userId: { type: String, default: "" },
    may: { type: Array, required: true },
  },
  emits: ["close", "audio"],
  data: () => ({
    /** @type {any} */
    news: null,
    feed: { state: "live", since: null },
    connection: { state: "connecting", since: Date.now(), code: null },
    now: 0,
    notices: [],
    ending: heldCall.ending,
    held: heldCall.held,
    /** Whether the server keeps back what is said. */
    withheld: false,
    icons,
  }),
  computed: {
    call() {
      return this.news?.call ?? null;
    },
    over() {
      return this.call !== null && isOver(this.call);
    },
    title() {
      return this.call ? callTitle(this.texts, this.call) : this.callId;
    },
    state() {
      return callState(this.texts, this.call, this.news, this.now, this.standing);
    },
    duration() {
      return callDuration(this.call, this.now);
    },
    /** Who has the call, while it goes on. */
    holder() {
      return this.over ? null : (this.news?.controller ?? null);
    },
    /** What this page does with this call. */
    mine() {
      return this.held?.callId === this.callId ? this.held : null;
    },
    standing() {
      return standing(this.mine, this.ending?.callId === this.callId ? this.ending : null, this.holder, this.userId);
    },
    isMine() {
      return isOnPage(this.standing);
    },
    heldFor() {
      return this.isMine ? duration(this.now - this.holder.since) : "";
    },
    paused() {
      if (!this.standing || (this.refusal && !this.isMine)) return null; // how the call stands is not told here any more
      const known = { stale: this.feed.state === "stale", quiet: this.news.quiet, controller: this.holder };
      return pausedWords(this.texts, this.standing, this.mine, known, this.may.includes("take_over"));
    },
    /** Whether what is shown is how it is now. */
    current() {
      return this.connection.state === "live" && this.feed.state === "live";
    },
    refusal() {
      return this.connection.state === "refused" ? (this.connection.code === 4404 ? "gone" : "refused") : null;
    },
    /** Whether one may not see the call any more. What was told of it goes, but for whom one speaks with. */
    shutOut() {
      return this.refusal === "refused";
    },
    /** The one thing to know about how far this page can be trusted; null when all is well. */
    doubt() {
      const { state, since } = this.connection;
      if (this.refusal) return this.call && { name: this.refusal, title: this.say(`drawer.${this.refusal}`), hint: this.say(`drawer.${this.refusal}.hint`) };
      if (state === "connecting") return this.now && Date.now() - since > PATIENCE_MS ? this.doubtSince("connecting", since) : null;
      if (state === "reconnecting" || state === "offline") return this.doubtSince(state, since, this.isMine);
      if (this.feed.state === "stale") return this.doubtSince("stale", this.clock.toLocal(this.feed.since), this.holder !== null);
      if (!this.over && this.news && this.news.quiet !== null) return this.doubtSince("quiet", this.news.quiet);
      return null;
    },
  },
  watch: {
    /** From its first word on the call's news stand here, and nowhere else in the page, whatever else is offered. */
    call() {
      this.hide ??= heldCall.show(this.callId);
    },
    shutOut: "forget",
    mine: "forget",
  },
  created() {
    this.hide = null;
    this.withheld = !this.may.includes("read");
    this.clock = new ServerClock();
    this.pausing = new PausedTranscript();
    this.unwatch = heldCall.watch(this.heldChanged);
    this.socket = new LiveSocket(`/feed/calls/${encodeURIComponent(this.callId)}`, {
      message: (message) => this.receive(message),
      state: (state, since, code) => this.connectionChanged(state, since, code),
    });
  },
  mounted() {
    this.socket.open();
    this.tick();
  },
  unmounted() {
    clearTimeout(this.ticking);
    this.unwatch();
    this.hide?.();
    this.socket.close();
  },
  methods: {
    receive(message) {
      if (message.now !== undefined) this.clock.sync(message.now);
      switch (message.t) {
        case "call":
          this.news = message;
          this.feed = message.feed ?? this.feed;
          this.now = this.clock.now();
          heldCall.settle(message);
          this.unpause(this.pausing.heldSince(message.call, this.over ? null : message.controller));
          break;
        case "feed":
          this.feed = { state: message.state, since: message.since };
          break;
        case "reset":
          this.withhold(message.withheld === true);
          this.$refs.transcript?.reset(this.pausing.shown(message.items), message.older);
          break;
        case "put":
          this.$refs.transcript?.put(this.pausing.shown(message.items));
          break;
        case "remove":
          this.pausing.remove(message.ids);
          this.$refs.transcript?.remove(message.ids);
          break;
        case "older":
          this.$refs.transcript?.older(this.pausing.shown(message.items), message.older);
          break;
      }
    },

    /** Whether what is said may be read is the server's to say, each time it begins anew. @param {boolean} withheld */
    withhold(withheld) {
      this.withheld = withheld;
      if (withheld) this.pausing = new PausedTranscript();
    },

    /** Once one is shut out: of the call itself, too, unless one still has it. */
    forget() {
      if (!this.shutOut) return;
      this.pausing = new PausedTranscript();
      if (!this.mine) this.news = null;
    },

    /** What a runtime had sent meanwhile. */
    unpause(items) {
      if (items.length) this.$refs.transcript?.put(items);
    },

    heldChanged() {
      const ending = heldCall.ending;
      const isNew = ending !== this.ending;
      this.held = heldCall.held;
      this.ending = ending;
      if (isNew && this.news) heldCall.settle(this.news); // what it says of the call may have come first
    },

    dismissEnding() {
      heldCall.dismiss();
    },

    /** Each second of the server's clock, when the list ticks, too. */
    tick() {
      this.now = this.clock.now();
      this.ticking = setTimeout(this.tick, 1000 - (this.now % 1000) + 5);
    },

    connectionChanged(state, since, code) {
      this.connection = { state, since, code };
      if (state !== "live") this.$refs.transcript?.forgetQuestions();
      if (this.refusal) this.$refs.footer?.stopListening();
    },

    askOlder(before) {
      if (!this.socket.send({ t: "older", before })) this.$refs.transcript.forgetQuestions();
    },

    /** @param {string} name @param {number} since @param {boolean} [held] a supervisor has the call, so the caller may hear nobody */
    doubtSince(name, since, held = false) {
      const time = clockTime(since);
      return { name, title: this.say(`drawer.${name}`, { time }), hint: this.say(`drawer.${name}.${held ? "held" : "hint"}`, { time }) };
    },

    /** One message of a kind at a time: the newest is what counts. @param {{kind: string, tone: string, title: string, text?: string}} notice */
    notify(notice) {
      this.notices = [...this.notices.filter((other) => other.kind !== notice.kind), notice];
    },

    dismiss(kind) {
      this.notices = this.notices.filter((notice) => notice.kind !== kind);
    },

    focus() {
      this.$refs.heading?.focus({ preventScroll: true });
    },

    say(key, values) {
      return text(this.texts, key, values);
    },
  },
  template: `
    <div class="panel">
      <header class="panel-header">
        <div class="panel-title">
          <div class="panel-name">
            <h2 ref="heading" tabindex="-1" dir="auto">{{ title }}</h2>
            <span v-if="call" class="lm-chip" :class="state.tone" data-testid="drawer-state"><span>{{ state.words }}</span></span>
          </div>
          <span v-if="isMine" class="panel-held lm-number" data-testid="held-duration" role="timer" aria-live="off" :aria-label="texts['talk.heldFor']">{{ heldFor }}</span>
          <span v-if="call" class="panel-duration lm-number" :class="{ 'is-second': isMine }" data-testid="drawer-duration" role="timer" aria-live="off"
                :aria-label="texts['drawer.duration']">{{ duration }}</span>
          <button type="button" class="panel-close lm-button is-plain" data-testid="drawer-close"
                  :aria-label="texts['drawer.close']" :title="texts['drawer.closeHint']" @click="$emit('close')">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.close"/></svg>
          </button>
        </div>
        <call-facts v-if="call && !shutOut" :call="call" :news="news" :texts="texts" :user-id="userId" />
      </header>
      <div v-if="refusal && !call" class="panel-refused" data-testid="drawer-refused" role="status">
        <strong>{{ texts["drawer." + refusal] }}</strong>
        <p>{{ texts["drawer." + refusal + ".hint"] }}</p>
        <button type="button" class="lm-button" @click="$emit('close')">{{ texts["drawer.toList"] }}</button>
      </div>
      <template v-else>
        <p v-if="news && news.masked" class="panel-masked" data-testid="masked-note">
          <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.mask"/></svg>{{ texts["masked.note"] }}
        </p>
        <div class="panel-body">
          <div v-if="withheld && !shutOut" class="panel-withheld" data-testid="transcript-withheld" role="status">
            <strong>{{ texts["transcript.withheld"] }}</strong>
            <p>{{ texts["transcript.withheldHint"] }}</p>
          </div>
          <transcript v-if="!shutOut" v-show="!withheld" ref="transcript" :texts="texts" :over="over" @older="askOlder" />
          <div class="panel-doubt" role="status">
            <div v-if="doubt" class="lm-notice" data-testid="drawer-doubt" :data-doubt="doubt.name">
              <strong>{{ doubt.title }}</strong><span>{{ doubt.hint }}</span>
            </div>
          </div>
        </div>
        <div class="panel-pause" role="status">
          <div v-if="paused" class="transcript-paused" :class="{ 'is-danger': paused.alarm }" data-testid="transcript-paused"><strong>{{ paused.title }}</strong><p>{{ paused.text }}</p></div>
        </div>
      </template>
      <div class="panel-notices" role="log" aria-live="polite" :aria-label="texts['drawer.messages']">
        <talk-ending v-if="ending && ending.callId === callId && ending.kind !== 'ended'" :ending="ending" :texts="texts" @dismiss="dismissEnding" />
        <div v-for="notice in notices" :key="notice.kind" class="panel-notice" :class="'is-' + notice.tone" data-testid="drawer-message"
             :data-kind="notice.kind">
          <div><strong>{{ notice.title }}</strong><p v-if="notice.text">{{ notice.text }}</p></div>
          <button type="button" class="lm-button is-plain" :aria-label="texts['drawer.dismiss']" @click="dismiss(notice.kind)">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.close"/></svg>
          </button>
        </div>
      </div>
      <call-footer v-if="call && (!refusal || mine)" ref="footer" :call="call" :news="news" :over="over" :texts="texts" :user-id="userId" :may="may" :current="current"
                   @notice="notify" @settled="dismiss" @audio="$emit('audio', $event)" />
    </div>`,
};
