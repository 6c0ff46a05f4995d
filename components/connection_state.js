// Says whether what is on screen is live: repeats the `livemon:connection` events of the list's socket, and never guesses.
// A press on it explains what the word means.

import { clockTime, text } from "/assets/format.js";

const KINDS = { live: "is-ok", connecting: "", reconnecting: "is-warn", offline: "is-danger", stale: "is-warn", refused: "is-danger" };

export default {
  props: { texts: Object },

  template: `
<div class="connection-state" @keydown.esc.stop="open = false" @focusout="left">
  <button type="button" data-testid="connection-state" :data-state="shown" :data-since="since" :aria-expanded="String(open)"
    aria-controls="connection-explained" @click="open = !open">
    <span class="lm-chip" :class="kind"><span>{{ texts["connection." + state] }}<span
      v-if="time" class="connection-since">{{ " " + say("connection.since") }}</span></span></span>
  </button>
  <span class="lm-quiet" role="status">{{ announced }}</span>
  <p v-show="open" id="connection-explained" class="connection-explained">{{ say("connection.explain." + state) }}</p>
</div>`,

  data: () => ({ state: "connecting", since: null, open: false, announced: "" }),

  computed: {
    kind() {
      return KINDS[this.state];
    },
    /** One of the four states that others look for; connecting is the first try of reconnecting. */
    shown() {
      return this.state === "connecting" ? "reconnecting" : this.state;
    },
    time() {
      return ["reconnecting", "offline", "stale"].includes(this.state) && this.since ? clockTime(this.since) : "";
    },
  },

  mounted() {
    window.addEventListener("livemon:connection", this.heard);
    document.addEventListener("pointerdown", this.outside);
  },

  unmounted() {
    window.removeEventListener("livemon:connection", this.heard);
    document.removeEventListener("pointerdown", this.outside);
  },

  methods: {
    heard(event) {
      const { state, since } = event.detail;
      if (!(state in KINDS)) return;
      this.state = state;
      this.since = since;
      // What stands in a button is not announced, so it is said beside it, too.
      this.announced = [this.texts[`connection.${state}`], this.time && this.say("connection.since")].filter(Boolean).join(" ");
    },
    say(key) {
      return text(this.texts, key, { time: this.time });
    },
    outside(event) {
      if (!this.$el.contains(event.target)) this.open = false;
    },
    left(event) {
      if (event.relatedTarget && !this.$el.contains(event.relatedTarget)) this.open = false;
    },
  },
};
