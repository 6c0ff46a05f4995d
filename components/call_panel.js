/**
 * Everything about one call: what it is, what is said in it, and what one can do. It lives as long as that call is open, has
 * the call's socket, and hands on what comes; a call opened next gets a panel of its own, so nothing is carried over.
 */

import { CallFacts } from "./call_facts.js";
import { CallFooter } from "./call_footer.js";
import { callDuration, callState, callTitle, isOver } from "./call_words.js";
import { ServerClock } from "./clock.js";
import { clockTime, text } from "./format.js";
import { icons } from "./icons.js";
import { LiveSocket } from "./socket.js";
import { Transcript } from "./transcript.js";

/** A server that has not spoken after this long is worth a word. */
const PATIENCE_MS = 3_000;

export const CallPanel = {
  components: { CallFacts, CallFooter, Transcript },
  props: {
    callId: { type: String, required: true },
    texts: { type: Object, required: true },
    userId: { type: String, default: "" },
  },
  emits: ["close", "audio"],
  data: () => ({
    /** @type {any} */
    news: null,
    feed: { state: "live", since: null },
    connection: { state: "connecting", since: Date.now(), code: null },
    now: 0,
    notices: [],
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
      return callState(this.texts, this.call, this.news, this.now);
    },
    duration() {
      return callDuration(this.call, this.now);
    },
    refusal() {
      return this.connection.state === "refused" ? (this.connection.code === 4404 ? "gone" : "refused") : null;
    },
    /** The one thing to know about how far this page can be trusted; null when all is well. */
    doubt() {
      const { state, since } = this.connection;
      if (this.refusal) return this.call && { name: this.refusal, title: this.say(`drawer.${this.refusal}`), hint: this.say(`drawer.${this.refusal}.hint`) };
      if (state === "connecting") return this.now && Date.now() - since > PATIENCE_MS ? this.doubtSince("connecting", since) : null;
      if (state === "reconnecting" || state === "offline") return this.doubtSince(state, since);
      if (this.feed.state === "stale") return this.doubtSince("stale", this.clock.toLocal(this.feed.since));
      if (!this.over && this.news && this.news.quiet !== null) return this.doubtSince("quiet", this.news.quiet);
      return null;
    },
  },
  created() {
    this.clock = new ServerClock();
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
          break;
        case "feed":
          this.feed = { state: message.state, since: message.since };
          break;
        case "reset":
          this.$refs.transcript?.reset(message.items, message.older);
          break;
        case "put":
          this.$refs.transcript?.put(message.items);
          break;
        case "remove":
          this.$refs.transcript?.remove(message.ids);
          break;
        case "older":
          this.$refs.transcript?.older(message.items, message.older);
          break;
      }
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

    doubtSince(name, since) {
      const time = clockTime(since);
      return { name, title: this.say(`drawer.${name}`, { time }), hint: this.say(`drawer.${name}.hint`, { time }) };
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
          <span v-if="call" class="panel-duration lm-number" data-testid="drawer-duration" role="timer" aria-live="off"
                :aria-label="texts['drawer.duration']">{{ duration }}</span>
          <button type="button" class="panel-close lm-button is-plain" data-testid="drawer-close"
                  :aria-label="texts['drawer.close']" :title="texts['drawer.closeHint']" @click="$emit('close')">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.close"/></svg>
          </button>
        </div>
        <call-facts v-if="call" :call="call" :news="news" :texts="texts" :user-id="userId" />
      </header>
      <div v-if="refusal && !call" class="panel-refused" data-testid="drawer-refused" role="status">
        <strong>{{ texts["drawer." + refusal] }}</strong>
        <p>{{ texts["drawer." + refusal + ".hint"] }}</p>
        <button type="button" class="lm-button" @click="$emit('close')">{{ texts["drawer.toList"] }}</button>
      </div>
      <template v-else>
        <div class="panel-body">
          <transcript ref="transcript" :texts="texts" :over="over" @older="askOlder" />
          <div class="panel-doubt" role="status">
            <div v-if="doubt" class="lm-notice" data-testid="drawer-doubt" :data-doubt="doubt.name">
              <strong>{{ doubt.title }}</strong><span>{{ doubt.hint }}</span>
            </div>
          </div>
        </div>
        <div class="panel-notices" role="log" aria-live="polite" :aria-label="texts['drawer.messages']">
          <div v-for="notice in notices" :key="notice.kind" class="panel-notice" :class="'is-' + notice.tone" data-testid="drawer-message"
               :data-kind="notice.kind">
            <div><strong>{{ notice.title }}</strong><p v-if="notice.text">{{ notice.text }}</p></div>
            <button type="button" class="lm-button is-plain" :aria-label="texts['drawer.dismiss']" @click="dismiss(notice.kind)">
              <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.close"/></svg>
            </button>
          </div>
        </div>
        <call-footer v-if="call" ref="footer" :call="call" :news="news" :over="over" :texts="texts" @notice="notify" @settled="dismiss" @audio="$emit('audio', $event)" />
      </template>
    </div>`,
};
