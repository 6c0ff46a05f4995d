// What an Admin has to know on every page: whose supervisor has lost the role, or is not heard by the caller. It stands in the shell,
// and follows a socket of its own, /feed/alerts. It emits `open` (call_id, "pointer"); the drawer then asks before it rescues.

import { isUnheard, party } from "/assets/call_rows.js";
import { ConfirmDialog } from "/assets/confirm_dialog.js";
import { EndsCall } from "/assets/end_call.js";
import { clockTime, text } from "/assets/format.js";
import { icons } from "/assets/icons.js";
import { rescueRequest } from "/assets/rescue_request.js";
import { LiveSocket } from "/assets/socket.js";

/** Connections that may bring no news for the moment. */
const AWAY = ["reconnecting", "offline"];

export default {
  mixins: [EndsCall],
  components: { ConfirmDialog },
  props: { texts: { type: Object, required: true }, user_id: { type: String, default: "" } },
  emits: ["open"],

  template: `
<section v-show="alerts.length || notices.length" class="call-alerts" :aria-label="texts['alert.label']" data-testid="call-alerts">
  <div v-for="alert in alerts" :key="alert.id" class="call-alert" role="alert" :data-testid="alert.testId" :data-call-id="alert.id">
    <p><strong dir="auto">{{ alert.title }}</strong> <span dir="auto">{{ alert.text }}</span></p>
    <div class="call-alert-actions">
      <button type="button" class="lm-button is-primary" data-testid="alert-rescue" :aria-label="alert.rescue" @click="rescue(alert.id)">{{ texts["footer.rescue"] }}</button>
      <button type="button" class="lm-button is-danger" data-testid="alert-end-call" :aria-label="alert.end" :disabled="ending || !alert.canEnd"
        :aria-busy="ending && alert.id === askedFor" :title="alert.canEnd ? null : texts['footer.cannotEnd']" @click="askToEnd(alert.id)">{{ texts[ending && alert.id === askedFor ? "footer.ending" : "footer.end"] }}</button>
    </div>
  </div>
  <p v-if="alerts.length && doubtful" class="call-alerts-doubt" role="status" data-testid="call-alerts-doubt">{{ texts["alert.doubtful"] }}</p>
  <div v-for="notice in notices" :key="notice.kind" class="panel-notice" :class="'is-' + notice.tone" role="status" data-testid="alert-message">
    <div><strong>{{ notice.title }}</strong><p>{{ notice.text }}</p></div>
    <button type="button" class="lm-button is-plain" :aria-label="texts['drawer.dismiss']" @click="untell(notice.kind)">
      <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.close" /></svg>
    </button>
  </div>
  <confirm-dialog name="alert-end-call" :open="confirming" :heading="texts['end.heading']" :body="endBody(caller, true)"
    :confirm-label="texts['end.confirm']" :cancel-label="texts['end.cancel']" @confirm="endCall(askedFor)" @cancel="confirming = false" />
</section>`,

  data: () => ({
    /** @type {any[]} rows as in docs/interfaces.md */
    calls: [],
    feed: "live",
    link: "connecting",
    /** The call whose end is asked for. */
    askedFor: "",
    caller: "",
    notices: [],
    icons,
  }),

  computed: {
    /** Not one's own call: what is the matter with it stands beside it. @this {any} */
    alerts() {
      return this.calls.filter((row) => row.holder && row.holder.user_id !== this.user_id).map((row) => this.alertOf(row));
    },
    /** Whether something else may be so by now. */
    doubtful() {
      return this.feed === "stale" || AWAY.includes(this.link);
    },
    /** Of the call whose end is asked for. */
    over() {
      return !this.calls.some((row) => row.id === this.askedFor);
    },
  },

  watch: {
    over(over) {
      if (!over) return;
      this.endIsSeen();
      this.untell("end");
    },
    doubtful(doubtful) {
      if (!doubtful) this.endIsKnown();
    },
  },

  mounted() {
    this.socket = new LiveSocket("/feed/alerts", { message: this.receive, state: this.linked });
    this.socket.open();
  },

  unmounted() {
    this.socket.close();
  },

  methods: {
    receive(message) {
      if (message.t !== "alerts") return;
      this.calls = message.calls;
      this.feed = message.feed.state;
    },

    linked(state) {
      this.link = state;
      if (state === "refused") this.calls = []; // one is no Admin any more, or signed out: the page goes, too
    },

    alertOf(row) {
      const { name, role_lost_since: roleLost, lost_since: unheard } = row.holder;
      const call = party(row) || text(this.texts, row.agent ? "alert.callerOf" : "alert.caller", { agent: row.agent });
      const kind = roleLost ? (isUnheard(row) ? "roleAndUnheard" : "role") : "unheard";
      const values = { name, call, time: clockTime(roleLost || unheard) };
      return {
        id: row.id,
        testId: roleLost ? "role-lost-alert" : "unheard-alert",
        title: text(this.texts, `alert.${kind}`, values),
        text: text(this.texts, `alert.${kind}.text`, values),
        rescue: text(this.texts, "alert.rescue", values),
        end: text(this.texts, "alert.end", values),
        canEnd: row.caps.includes("end"),
        call,
      };
    },

    rescue(callId) {
      rescueRequest.ask(callId);
      this.$emit("open", callId, "pointer");
    },

    askToEnd(callId) {
      this.askedFor = callId;
      this.caller = this.alerts.find((alert) => alert.id === callId)?.call ?? "";
      this.confirming = true;
    },

    tell(notice) {
      this.notices = [...this.notices.filter((other) => other.kind !== notice.kind), notice];
    },

    untell(kind) {
      this.notices = this.notices.filter((notice) => notice.kind !== kind);
    },
  },
};
