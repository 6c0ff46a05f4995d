/**
 * What one can do with a call: listen in, (later) take it over, end it. A call that is over has no actions; how it ended
 * stands in their place. A button is disabled from its click until its outcome is known.
 */

import { CallAudio } from "./call_audio.js";
import { endReason, endTime } from "./call_words.js";
import { ConfirmDialog } from "./confirm_dialog.js";
import { text } from "./format.js";
import { icons } from "./icons.js";
import { ListeningMemory } from "./listening_memory.js";
import { ListeningPanel } from "./listening_panel.js";
import { RequestFailed, post } from "./request.js";

/** The runtime has said yes: the end itself follows by the call's socket. Past this one may ask again. */
const END_SEEN_WITHIN_MS = 10_000;

export const CallFooter = {
  components: { ConfirmDialog, ListeningPanel },
  props: {
    call: { type: Object, required: true },
    news: { type: Object, required: true },
    over: Boolean,
    texts: { type: Object, required: true },
  },
  emits: ["notice", "settled", "audio"],
  data: () => ({
    /** @type {"idle" | "connecting" | "listening" | "interrupted" | "reconnecting" | "failed"} */
    audioState: "idle",
    confirming: false,
    ending: false,
    icons,
  }),
  computed: {
    listening() {
      return !["idle", "failed"].includes(this.audioState);
    },
    /** Why a button cannot be used, by button; empty if it can. */
    reasons() {
      const can = (name) => this.call.capabilities.includes(name);
      const listen = !this.call.audio ? "footer.noAudio" : can("listen") ? null : "footer.cannotListen";
      return {
        listen: listen && this.texts[listen],
        takeOver: this.texts["footer.takeOverNextVersion"],
        end: can("end") ? null : this.texts["footer.cannotEnd"],
      };
    },
    ended() {
      return { reason: endReason(this.texts, this.call), time: endTime(this.texts, this.call) };
    },
  },
  watch: {
    over: { handler: "onOver", immediate: true },
    listening(listening) {
      this.$emit("audio", { call_id: this.call.call_id, listening });
    },
  },
  created() {
    this.audio = null;
    this.memory = new ListeningMemory();
  },
  mounted() {
    if (!this.over && !this.reasons.listen && this.memory.survives(this.call.call_id)) this.listen();
  },
  beforeUnmount() {
    clearTimeout(this.endTimer);
    if (this.listening) this.$emit("audio", { call_id: this.call.call_id, listening: false }); // its watcher ends with it
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

    // --- End Call ---------------------------------------------------------------------------------------------------

    async end() {
      this.confirming = false;
      this.ending = true;
      this.$emit("settled", "end");
      try {
        await post(`/calls/${encodeURIComponent(this.call.call_id)}/end`);
        this.endTimer = setTimeout(() => (this.ending = false), END_SEEN_WITHIN_MS);
      } catch (error) {
        if (!(error instanceof RequestFailed)) throw error;
        this.ending = false;
        if (this.over) return;
        const words = error.message || this.texts["end.unknown.hint"];
        this.$emit("notice", { kind: "end", tone: "danger", title: this.texts[error.answered ? "end.failed" : "end.unknown"], text: words });
      }
    },

    onOver(over) {
      if (!over) return;
      clearTimeout(this.endTimer);
      this.ending = false;
      this.stopListening();
      this.$emit("settled", "end");
      this.$emit("settled", "listen");
      if (!this.confirming) return;
      this.confirming = false;
      this.$emit("notice", { kind: "end", tone: "info", title: this.texts["end.meanwhile"], text: this.ended.reason });
    },

    confirmBody() {
      const { from_number, to_number, direction } = this.call;
      const caller = (direction === "outbound" ? to_number : from_number) || this.texts["end.theCaller"];
      return [text(this.texts, "end.body", { caller }), this.texts["end.bodyAll"]];
    },
  },
  template: `
    <footer class="panel-footer">
      <div role="status">
        <div v-if="over" class="call-ended" data-testid="call-ended" :data-reason="call.disconnection_reason">
          <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.hangUp"/></svg>
          <div><strong>{{ ended.reason }}</strong><p v-if="ended.time" class="lm-number">{{ ended.time }}</p></div>
        </div>
      </div>
      <template v-if="!over">
        <listening-panel v-if="listening" :audio="audio" :state="audioState" :texts="texts"
                         :other="news.controller ? news.controller.name : texts['transcript.agent']" />
        <div class="panel-actions">
          <button v-if="!listening" ref="listen" type="button" class="lm-button" data-testid="live-listen" :disabled="!!reasons.listen"
                  :aria-describedby="reasons.listen ? 'footer-reason-listen' : null" @click="listen">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.headphones"/></svg>{{ texts["footer.listen"] }}
          </button>
          <button v-else-if="audioState === 'connecting'" type="button" class="lm-button is-chosen" data-testid="live-listen" disabled>
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.headphones"/></svg>{{ texts["footer.connecting"] }}
          </button>
          <button v-else type="button" class="lm-button is-chosen" data-testid="exit-live-listen" @click="exit">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.headphones"/></svg>{{ texts["footer.exitListen"] }}
          </button>
          <button type="button" class="lm-button is-primary" data-testid="take-over" disabled aria-describedby="footer-reason-takeOver">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.microphone"/></svg>{{ texts["footer.takeOver"] }}
          </button>
          <button type="button" class="lm-button is-danger" data-testid="end-call" :disabled="!!reasons.end || ending"
                  :aria-describedby="reasons.end ? 'footer-reason-end' : null" :aria-busy="ending" @click="confirming = true">
            <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.hangUp"/></svg
            >{{ texts[ending ? "footer.ending" : "footer.end"] }}
          </button>
        </div>
        <template v-for="(reason, name) in reasons" :key="name">
          <p v-if="reason" :id="'footer-reason-' + name" class="panel-reason">{{ reason }}</p>
        </template>
      </template>
      <confirm-dialog name="end-call" :open="confirming" :heading="texts['end.heading']" :body="confirmBody()"
                      :confirm-label="texts['end.confirm']" :cancel-label="texts['end.cancel']" @confirm="end"
                      @cancel="confirming = false" />
    </footer>`,
};
