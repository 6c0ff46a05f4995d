// The call that one has, on every page and beside every other call, until it is over: who, how long, mute, back to it, End Call.
// It stands in the shell for good; beside the call's own controls it is not needed, and not there. It emits `open` (call_id, "pointer").

import { CallNews } from "/assets/call_news.js";
import { isOver } from "/assets/call_words.js";
import { ConfirmDialog } from "/assets/confirm_dialog.js";
import { EndsCall } from "/assets/end_call.js";
import { duration, text } from "/assets/format.js";
import { heldCall } from "/assets/held_call.js";
import { icons } from "/assets/icons.js";
import { LeaveButton } from "/assets/leave_button.js";
import { faultOf } from "/assets/microphone.js";
import { MuteButton } from "/assets/mute_button.js";
import { TalkEnding } from "/assets/talk_ending.js";
import { talkTrouble } from "/assets/talk_standing.js";
import { isJoined, isUnsettled, talkState } from "/assets/talk_words.js";

export default {
  mixins: [EndsCall],
  components: { ConfirmDialog, LeaveButton, MuteButton, TalkEnding },
  props: { texts: { type: Object, required: true } },
  emits: ["open"],

  template: `
<div class="call-bar-place">
  <section v-if="held && !shown" class="call-bar" data-testid="call-bar" :data-call-id="held.callId" :data-state="held.state" :aria-label="texts['talk.label']">
    <button v-if="held.wantsTouch" type="button" class="lm-button is-primary listening-resume" data-testid="resume-audio" @click="touch">
      <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.speaker" /></svg>{{ texts["listen.resume"] }}
    </button>
    <div class="call-bar-who">
      <strong dir="auto">{{ held.title }}</strong>
      <span v-if="waiting" role="status">{{ waiting }}</span>
      <span v-if="joined" class="lm-number" data-testid="call-bar-duration" role="timer" aria-live="off">{{ heldFor }}</span>
    </div>
    <p v-if="trouble" class="call-bar-trouble" role="status" data-testid="call-bar-trouble" :data-trouble="trouble.name">
      <strong>{{ trouble.title }}</strong> {{ trouble.text }}
    </p>
    <p v-if="held.roleLost" class="call-bar-trouble" role="status" data-testid="call-bar-role"><strong>{{ texts["talk.role"] }}</strong> {{ texts["talk.role.hint"] }}</p>
    <div class="call-bar-actions">
      <button type="button" class="lm-button" data-testid="call-bar-back" @click="$emit('open', held.callId, 'pointer')">{{ texts["talk.back"] }}</button>
      <template v-if="joined">
        <mute-button :muted="held.muted" :texts="texts" @failed="microphoneFailed" />
        <leave-button v-if="news && news.quiet !== null" :texts="texts" />
        <button type="button" class="lm-button is-danger is-filled" data-testid="end-call" :disabled="ending" :aria-busy="ending" @click="confirming = true">
          <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.hangUp" /></svg>{{ texts[ending ? "footer.ending" : "footer.end"] }}
        </button>
      </template>
      <button v-else type="button" class="lm-button" data-testid="take-over-abort" :disabled="held.cancelling" @click="cancel">{{ texts["takeOver.abort"] }}</button>
    </div>
  </section>
  <div class="call-bar-notices" role="log" aria-live="polite" :aria-label="texts['drawer.messages']">
    <talk-ending v-if="last && !endingShown" :ending="last" :texts="texts" @dismiss="dismiss" />
    <div v-for="notice in shown ? [] : notices" :key="notice.kind" class="panel-notice" :class="'is-' + notice.tone" data-testid="call-bar-message">
      <div><strong>{{ notice.title }}</strong><p>{{ notice.text }}</p></div>
      <button type="button" class="lm-button is-plain" :aria-label="texts['drawer.dismiss']" @click="untell(notice.kind)">
        <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.close" /></svg>
      </button>
    </div>
  </div>
  <confirm-dialog v-if="held && !shown" name="end-call" :open="confirming" :heading="texts['end.heading']" :body="endBody(held.title, true)"
    :confirm-label="texts['end.confirm']" :cancel-label="texts['end.cancel']" @confirm="endCall(held.callId)" @cancel="confirming = false" />
</div>`,

  data: () => ({
    held: heldCall.held,
    /** What became of the last take-over. */
    last: heldCall.ending,
    onScreen: heldCall.shown,
    heldFor: "",
    /** @type {any} what the server says of the call that is followed here */
    news: null,
    stale: { call: false, list: false },
    notices: [],
    icons,
  }),

  computed: {
    shown() {
      return this.held !== null && this.held.callId === this.onScreen;
    },
    endingShown() {
      return this.last?.callId === this.onScreen;
    },
    joined() {
      return isJoined(this.held);
    },
    waiting() {
      return this.held ? talkState(this.texts, this.held) : "";
    },
    over() {
      return this.held === null;
    },
    /** The call whose drawer is not there to say how it is: the one that one has, or may have lost to somebody. @this {any} */
    followed() {
      if (this.joined) return this.shown ? null : this.held.callId;
      return isUnsettled(this.last) && !this.endingShown ? this.last.callId : null;
    },
    isStale() {
      return this.stale.call || this.stale.list;
    },
    /** Why the caller may not hear one. @this {any} */
    trouble() {
      if (!this.joined) return null;
      const { quiet = null, controller = null } = this.news ?? {};
      return talkTrouble(this.texts, { stale: this.isStale, quiet, controller });
    },
  },

  watch: {
    followed: "follow",
    isStale(stale) {
      if (!stale) this.endIsKnown();
    },
    over(over) {
      if (!over) return;
      this.endIsSeen();
      this.notices = [];
    },
    "held.muted"(muted) {
      if (!muted) this.untell("talk");
    },
  },

  mounted() {
    this.unwatch = heldCall.watch(this.changed);
    this.ticking = setInterval(this.tick, 500);
    window.addEventListener("livemon:connection", this.connectionHeard);
    heldCall.takeUpAgain();
  },

  unmounted() {
    this.unwatch();
    clearInterval(this.ticking);
    window.removeEventListener("livemon:connection", this.connectionHeard);
    this.following?.close();
  },

  methods: {
    changed() {
      this.held = heldCall.held;
      this.last = heldCall.ending;
      this.onScreen = heldCall.shown;
      this.tick();
    },

    follow(callId) {
      this.following?.close();
      this.news = null;
      this.stale.call = false;
      this.following = callId ? new CallNews(callId, this.hear) : null;
    },

    /** @param {CallNews} following */
    hear({ last, stale }) {
      this.news = last;
      this.stale.call = stale;
      if (!last) return;
      heldCall.settle(last);
      if (isOver(last.call)) heldCall.over(last.call.call_id);
    },

    connectionHeard(event) {
      this.stale.list = event.detail.state === "stale";
    },

    tick() {
      this.heldFor = duration(heldCall.heldFor());
    },

    async touch() {
      try {
        await heldCall.touch();
      } catch (error) {
        this.microphoneFailed(faultOf(error));
      }
    },

    cancel() {
      heldCall.cancel();
    },

    dismiss() {
      heldCall.dismiss();
    },

    microphoneFailed(code) {
      this.tell({ kind: "talk", tone: "danger", title: this.texts["talk.stillMuted"], text: text(this.texts, `takeOver.microphone.${code}`) });
    },

    tell(notice) {
      this.notices = [...this.notices.filter((other) => other.kind !== notice.kind), notice];
    },

    untell(kind) {
      this.notices = this.notices.filter((notice) => notice.kind !== kind);
    },
  },
};
