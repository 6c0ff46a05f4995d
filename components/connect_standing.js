/** How far the first agent has come, by the live feed: nobody, a runtime, a call. It never says more than the server knows. */

import { ServerClock } from "./clock.js";
import { agentName, causesOf, explanation, kindOf, runtimeName, stateOf, waits } from "./connect_words.js";
import { clockTime, plural, relativeTime, text } from "./format.js";
import { LiveSocket } from "./socket.js";

/** As long as nothing comes, what to check is not shown yet. */
export const PATIENCE_MS = 60_000;
const MINUTE_MS = 60_000;

const TONES = { waiting: "is-accent", runtime: "is-warn", connected: "is-ok", away: "is-danger" };
const ABILITIES = ["listen", "take_over", "end", "inject"];

export const ConnectStanding = {
  props: {
    texts: { type: Object, required: true },
    deployment: { type: Object, required: true },
  },
  data() {
    return {
      link: { state: "connecting", since: Date.now() },
      /** @type {any} the last message `runtimes` of docs/interfaces.md */
      news: null,
      now: 0,
      /** By this device's clock: since when it is known that nothing has come. @type {number | null} */
      waitingSince: null,
      waited: false,
      late: false,
      /** The call that ended the waiting of this page. */
      firstId: "",
    };
  },
  computed: {
    state() {
      return stateOf(this.link, this.news);
    },
    tone() {
      return TONES[stateOf(this.link, this.news)];
    },
    heading() {
      return this.texts[`connect.state.${kindOf(this.link, this.news)}`];
    },
    explained() {
      return explanation(this.texts, this.link, this.news, this.clock);
    },
    call() {
      return ["connected", "left"].includes(kindOf(this.link, this.news)) ? this.news.call : null;
    },
    causes() {
      return causesOf(this.link, this.news, this.deployment.local);
    },
    runtimes() {
      return stateOf(this.link, this.news) === "away" ? [] : this.news.runtimes;
    },
    count() {
      return plural(this.texts, "connect.runtimes", this.runtimes.length + (this.news?.more ?? 0));
    },
  },
  created() {
    this.clock = new ServerClock();
    this.abilities = ABILITIES;
  },
  mounted() {
    this.socket = new LiveSocket("/feed/runtimes", {
      message: (message) => this.receive(message),
      state: (state, since) => {
        this.link = { state, since };
        this.follow();
      },
    });
    this.socket.open();
    this.timer = setInterval(this.tick, 1000);
  },
  unmounted() {
    clearInterval(this.timer);
    this.socket.close();
  },
  methods: {
    clockTime,

    receive(message) {
      this.clock.sync(message.now);
      this.now = this.clock.now();
      if (message.t !== "runtimes") return;
      this.news = message;
      this.follow();
    },

    /** Notes what has become of the waiting. */
    follow() {
      if (waits(this.link, this.news)) {
        this.waited = true;
        this.waitingSince ??= Date.now();
        return;
      }
      if (stateOf(this.link, this.news) === "connected" && this.waited) this.firstId ||= this.news.call.id;
      this.waitingSince = null;
      this.late = false;
    },

    tick() {
      this.now = this.clock.now();
      this.late = this.waitingSince !== null && Date.now() - this.waitingSince >= PATIENCE_MS;
    },

    say(key, values) {
      return text(this.texts, key, values);
    },

    nameOf: runtimeName,

    agentOf(call) {
      return agentName(this.texts, call);
    },

    /** "12 s ago", "3 minutes ago": when it began. */
    ago(call) {
      const ms = Math.max(0, this.now - call.start);
      return ms < MINUTE_MS ? this.say("connect.seconds_ago", { n: Math.floor(ms / 1000) }) : relativeTime(call.start, this.now);
    },

    which(call) {
      return this.texts[call.id === this.firstId ? "connect.call.first" : "connect.call.latest"];
    },

    pageOf(call) {
      return `${window.path_prefix ?? ""}/live/${encodeURIComponent(call.id)}`;
    },

    callsOf(runtime) {
      if (runtime.calls) return plural(this.texts, "connect.calls", runtime.calls);
      return this.texts[runtime.call ? "connect.calls.over" : "connect.calls.none"];
    },

    can(runtime, ability) {
      return runtime.caps.includes(ability) && (ability !== "listen" || runtime.audio);
    },

    canWords(runtime, ability) {
      const what = this.texts[`connect.can.${ability}`];
      return this.can(runtime, ability) ? what : this.say("connect.cannot", { what });
    },

    cause(name, part) {
      const { redis, workspace } = this.deployment;
      return this.say(`connect.help.${name}${part}`, { redis, workspace });
    },
  },
  template: `
    <section class="standing" aria-labelledby="standing-heading">
      <div class="standing-now" data-testid="connect-state" :data-state="state">
        <span class="lm-chip" :class="tone"><span>{{ texts["connect.chip." + state] }}</span></span>
        <h2 id="standing-heading">{{ heading }}</h2>
        <p>{{ explained }}</p>
        <p v-if="call" class="standing-call" data-testid="connect-call" :data-call-id="call.id">
          <span><strong>{{ which(call) }}</strong> <span dir="auto">{{ agentOf(call) }}</span>, <span class="lm-number">{{ ago(call) }}</span><template v-if="call.over">, {{ texts["connect.call.over"] }}</template></span>
          <a class="lm-button" :class="{ 'is-primary': !call.over }" :href="pageOf(call)">{{ texts["connect.call.open"] }}</a>
        </p>
      </div>
      <p class="lm-quiet" role="status">{{ heading }}</p>
      <div v-if="late" class="lm-notice standing-help" role="region" aria-labelledby="standing-help" data-testid="connect-help" :data-state="state">
        <h3 id="standing-help">{{ texts["connect.help." + state] }}</h3>
        <ul><li v-for="name in causes" :key="name" :data-cause="name"><strong>{{ cause(name, "") }}</strong> {{ cause(name, ".text") }}</li></ul>
      </div>
      <p v-if="news?.refused && state !== 'away'" class="lm-notice" data-testid="connect-refused">{{ texts["connect.refused"] }}</p>
      <template v-if="runtimes.length">
        <h3>{{ count }}</h3>
        <ul class="entries">
          <li v-for="runtime in runtimes" :key="runtime.id" class="entry" data-testid="connect-runtime" :data-runtime-id="runtime.id" :data-reports="String(Boolean(runtime.call))">
            <div class="entry-what">
              <h4 dir="auto">{{ nameOf(runtime) }}</h4> <span class="lm-chip" :class="runtime.call ? 'is-ok' : 'is-warn'"><span>{{ callsOf(runtime) }}</span></span>
              <p>{{ say("connect.since", { time: clockTime(clock.toLocal(runtime.since)) }) }} · <span class="lm-mono">{{ runtime.id }}</span></p>
              <p v-if="!runtime.speaks" class="standing-doubt">{{ texts["connect.protocol"] }}</p>
            </div>
            <ul v-if="runtime.caps" class="standing-can" :aria-label="say('connect.can', { name: nameOf(runtime) })">
              <li v-for="ability in abilities" :key="ability" :data-ability="ability" :data-can="String(can(runtime, ability))">{{ canWords(runtime, ability) }}</li>
            </ul>
            <p v-else class="entry-note">{{ texts["connect.can.unknown"] }}</p>
          </li>
        </ul>
        <p v-if="news.more" class="entry-note">{{ say("connect.more", { n: news.more }) }}</p>
      </template>
    </section>`,
};
