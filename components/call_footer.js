/**
 * What one can do with a call: listen in, take it over, end it. A call that is over has no actions; how it ended stands in
 * their place. A button is disabled from its click until its outcome is known.
 */

import { CallAudio } from "./call_audio.js";
import { callTitle, endReason, endTime } from "./call_words.js";
import { ConfirmDialog } from "./confirm_dialog.js";
import { EndsCall } from "./end_call.js";
import { icons } from "./icons.js";
import { LeaveButton } from "./leave_button.js";
import { ListeningMemory } from "./listening_memory.js";
import { ListeningPanel } from "./listening_panel.js";
import { MuteButton } from "./mute_button.js";
import { TakesOver } from "./take_over_action.js";
import { TalkingPanel } from "./talking_panel.js";

/** The first button of each stage. */
const FIRST = {
  idle: "[data-testid=take-over]:enabled, [data-testid=end-call]",
  waiting: "[data-testid=take-over-abort]",
  talking: "[data-testid=mute]",
};

export const CallFooter = {
  mixins: [EndsCall, TakesOver],
  components: { ConfirmDialog, LeaveButton, ListeningPanel, MuteButton, TalkingPanel },
  props: {
    call: { type: Object, required: true },
    news: { type: Object, required: true },
    over: Boolean,
    /** Whether what `news` says is how it is now. */
    current: Boolean,
    texts: { type: Object, required: true },
    userId: { type: String, default: "" },
    may: { type: Array, required: true },
  },
  emits: ["notice", "settled", "audio"],
  data: () => ({
    /** @type {"idle" | "connecting" | "listening" | "interrupted" | "reconnecting" | "failed"} */
    audioState: "idle",
    icons,
  }),
  computed: {
    listening() {
      return !["idle", "failed"].includes(this.audioState);
    },
    /** As a listener, or as who takes it over. */
    hears() {
      return this.listening || this.mine !== null;
    },
    /** Why a button cannot be used, by button; empty if it can. A button that is not there needs no reason. @this {any} */
    reasons() {
      const can = (name) => this.call.capabilities.includes(name);
      const listen = !this.call.audio ? "footer.noAudio" : can("listen") ? this.elsewhere && "footer.onAnotherCall" : "footer.cannotListen";
      return {
        listen: this.mayListen && listen && !this.holding ? this.texts[listen] : null,
        takeOver: this.takeOverLabel && this.whyNoTakeOver(),
        end: can("end") || !this.mayEnd ? null : this.texts["footer.cannotEnd"],
      };
    },
    mayListen() {
      return this.may.includes("listen");
    },
    /** Who has the call may always end it. */
    mayEnd() {
      return this.may.includes("end") || this.holding || (this.userId !== "" && this.news.controller?.user_id === this.userId);
    },
    /** Whether there is any button at all. */
    acts() {
      return this.mayListen || this.mayEnd || this.listening || this.takeOverLabel !== null;
    },
    /** Which buttons there are. */
    stage() {
      return this.over ? "over" : this.holding ? "talking" : this.mine ? "waiting" : "idle";
    },
    /** One has a call that nobody reports: then one may let go of it. */
    leavable() {
      return this.holding && this.news.quiet !== null;
    },
    ended() {
      return { reason: endReason(this.texts, this.call), time: endTime(this.texts, this.call) };
    },
    caller() {
      const { from_number, to_number, direction } = this.call;
      return direction === "outbound" ? to_number : from_number;
    },
  },
  watch: {
    over: { handler: "onOver", immediate: true },
    stage: "keepFocus",
    current(current) {
      if (current) this.endIsKnown();
    },
    hears(listening) {
      this.told = listening;
      this.$emit("audio", { call_id: this.call.call_id, listening });
    },
  },
  created() {
    this.audio = null;
    this.told = false; // that one hears the call
    this.memory = new ListeningMemory();
  },
  mounted() {
    if (!this.over && this.mayListen && !this.reasons.listen && this.memory.survives(this.call.call_id)) this.listen();
  },
  beforeUnmount() {
    if (this.told || this.hears) this.$emit("audio", { call_id: this.call.call_id, listening: false }); // its watcher ends with it
    this.stopListening();
  },
  methods: {
    // --- Live Listen ------------------------------------------------------------------------------------------------

    /** Inside the click that asked for it, or after a reload; then the browser may want one touch more. */
    listen() {
      const audio = new CallAudio();
      this.audio = audio;
      this.audioState = "connecting";
      this.$emit("settled", "listen");
      audio.onstate = () => this.audio === audio && this.onAudio(audio);
      void audio.start(this.call.call_id);
    },

    onAudio(audio) {
      this.audioState = audio.state;
      if (audio.state === "listening") this.memory.keep(this.call.call_id);
      if (audio.state === "idle") this.memory.rest();
      if (audio.state === "failed") this.listeningFailed(audio.error);
    },

    listeningFailed(error) {
      this.forgetListening();
      const known = `listen.failed.${error?.code}` in this.texts ? this.texts[`listen.failed.${error.code}`] : null;
      const words = error?.message || known || this.texts["listen.failed.hint"];
      this.$emit("notice", { kind: "listen", tone: "danger", title: this.texts["listen.failed"], text: words });
    },

    stopListening() {
      this.audio?.stop();
      this.forgetListening();
    },

    forgetListening() {
      if (this.audio) this.memory.forget();
      this.audio = null;
      this.audioState = "idle";
    },

    exit() {
      this.stopListening();
      this.$nextTick(() => this.$refs.listen?.focus());
    },

    // --- the end ----------------------------------------------------------------------------------------------------

    onOver(over) {
      if (!over) return;
      const confirming = this.confirming || this.takeOverAsked;
      this.endIsSeen();
      this.takeOverIsSeen();
      this.stopListening();
      for (const kind of ["end", "listen", "talk"]) this.untell(kind);
      if (confirming) this.tell({ kind: "end", tone: "info", title: this.texts["end.meanwhile"], text: this.ended.reason });
    },

    /** The keyboard goes on with the first of the new buttons, if it was on one that has gone. */
    async keepFocus() {
      if (!this.$el.contains(document.activeElement)) return;
      await this.$nextTick();
      const active = document.activeElement;
      if (active !== document.body && !active?.matches(":disabled")) return;
      const first = FIRST[this.stage];
      if (first) this.$el.querySelector(first)?.focus({ preventScroll: true });
    },

    tell(notice) {
      this.$emit("notice", notice);
    },

    untell(kind) {
      this.$emit("settled", kind);
    },

    title() {
      return callTitle(this.texts, this.call);
    },
  },
  template: `
    <footer class="panel-footer" :class="{ 'is-bare': !over && !acts }">
      <div role="status">
        <div v-if="over" class="call-ended" data-testid="call-ended" :data-reason="call.disconnection_reason">
          <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.hangUp"/></svg>
          <div><strong>{{ ended.reason }}</strong><p v-if="ended.time" class="lm-number">{{ ended.time }}</p></div>
        </div>
      </div>
      <template v-if="!over">
        <talking-panel v-if="mine" :held="mine" :texts="texts" @failed="microphoneFailed" />
        <listening-panel v-if="listening" :audio="audio" :state="audioState" :texts="texts"
                         :supervisor="news.controller ? news.controller.name : null" />
        <div v-if="acts" class="panel-actions">
          <mute-button v-if="holding" :muted="mine.muted" :texts="texts" @failed="microphoneFailed" />
          <button v-else-if="!listening && mayListen" ref="listen" type="button" class="lm-button" data-testid="live-listen" :disabled="!!reasons.listen"
                  :aria-describedby="reasons.listen ? 'footer-reason-listen' : null" @click="listen">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.headphones"/></svg>{{ texts["footer.listen"] }}
          </button>
          <button v-else-if="listening && audioState === 'connecting'" type="button" class="lm-button is-chosen" data-testid="live-listen" disabled>
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.headphones"/></svg>{{ texts["footer.connecting"] }}
          </button>
          <button v-else-if="listening" type="button" class="lm-button is-chosen" data-testid="exit-live-listen" @click="exit">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.headphones"/></svg>{{ texts["footer.exitListen"] }}
          </button>
          <button v-if="takeOverLabel" type="button" class="lm-button is-primary" data-testid="take-over" :disabled="!!reasons.takeOver || !!mine"
                  :aria-busy="!!mine" :aria-describedby="reasons.takeOver ? 'footer-reason-takeOver' : null" @click="askTakeOver">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.microphone"/></svg>{{ texts[takeOverLabel] }}
          </button>
          <leave-button v-if="leavable" :texts="texts" />
          <button v-if="mayEnd" type="button" class="lm-button is-danger" :class="{ 'is-filled': holding }" data-testid="end-call" :disabled="!!reasons.end || ending"
                  :aria-describedby="reasons.end ? 'footer-reason-end' : null" :aria-busy="ending" @click="confirming = true">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.hangUp"/></svg
            >{{ texts[ending ? "footer.ending" : "footer.end"] }}
          </button>
        </div>
        <template v-for="(reason, name) in reasons" :key="name">
          <p v-if="reason" :id="'footer-reason-' + name" class="panel-reason">{{ reason }}</p>
        </template>
      </template>
      <confirm-dialog name="end-call" :open="confirming" :heading="texts['end.heading']" :body="endBody(caller, holding)"
                      :confirm-label="texts['end.confirm']" :cancel-label="texts['end.cancel']" @confirm="endCall(call.call_id)"
                      @cancel="confirming = false" />
      <confirm-dialog name="take-over" tone="is-primary" :open="takeOverAsked" :heading="texts[rescue ? 'rescue.heading' : 'takeOver.heading']"
                      :body="takeOverBody()" :confirm-label="texts[rescue ? 'footer.rescue' : 'footer.takeOver']"
                      :cancel-label="texts[rescue ? 'rescue.cancel' : 'takeOver.cancel']" @confirm="confirmTakeOver"
                      @cancel="takeOverAsked = false" />
    </footer>`,
};
