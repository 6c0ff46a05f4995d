/**
 * The take-over in its call's drawer: what it waits for, and the way out; then how loud caller and supervisor are, and their
 * devices. It draws what `heldCall` says, and begins and ends nothing by itself.
 */

import { text } from "./format.js";
import { heldCall } from "./held_call.js";
import { icons } from "./icons.js";
import { faultOf } from "./microphone.js";
import { TalkDevices } from "./talk_devices.js";
import { isJoined, talkState } from "./talk_words.js";

/** How often a screen reader may find a new value. */
const ARIA_EVERY_MS = 500;

export const TalkingPanel = {
  components: { TalkDevices },
  props: {
    held: { type: Object, required: true },
    texts: { type: Object, required: true },
  },
  emits: ["failed"],
  data: () => ({ icons }),
  computed: {
    joined() {
      return isJoined(this.held);
    },
    waiting() {
      return talkState(this.texts, this.held);
    },
    talk() {
      return heldCall.talk;
    },
  },
  mounted() {
    this.spokenAt = 0;
    this.frame = requestAnimationFrame(this.draw);
  },
  unmounted() {
    cancelAnimationFrame(this.frame);
  },
  methods: {
    draw(now) {
      this.frame = requestAnimationFrame(this.draw);
      const talk = heldCall.talk;
      if (!talk || !this.joined) return;
      const speak = now - this.spokenAt >= ARIA_EVERY_MS;
      if (speak) this.spokenAt = now;
      this.show(this.$refs.caller, talk.voice.level(), speak);
      this.show(this.$refs.self, talk.microphone.level(), speak);
    },

    show(meter, level, speak) {
      if (!meter) return;
      meter.firstElementChild.style.transform = `scaleX(${level.toFixed(3)})`;
      if (speak) meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
    },

    cancel() {
      heldCall.cancel();
    },

    async touch() {
      try {
        await heldCall.touch();
      } catch (error) {
        this.$emit("failed", faultOf(error));
      }
    },

    loudness(name) {
      return text(this.texts, "listen.level", { name });
    },
  },
  template: `
    <div class="listening talking" role="group" :aria-label="texts['talk.label']" :data-state="held.state">
      <div v-if="!joined" class="talking-wait">
        <p role="status" data-testid="take-over-state" :data-state="held.state">{{ waiting }}</p>
        <button type="button" class="lm-button" data-testid="take-over-abort" :disabled="held.cancelling" @click="cancel">{{ texts["takeOver.abort"] }}</button>
      </div>
      <template v-else>
        <button v-if="held.wantsTouch" type="button" class="lm-button is-primary listening-resume" data-testid="resume-audio" @click="touch">
          <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.speaker"/></svg>{{ texts["listen.resume"] }}
        </button>
        <p v-else-if="waiting" class="listening-state" role="status" data-testid="take-over-state" :data-state="held.state">{{ waiting }}</p>
        <p v-if="held.roleLost" class="listening-state" role="status" data-testid="talk-role"><strong>{{ texts["talk.role"] }}</strong> {{ texts["talk.role.hint"] }}</p>
        <div class="listening-voice">
          <span class="listening-name">{{ texts["transcript.caller"] }}</span>
          <div ref="caller" class="listening-level" role="meter" data-testid="level-caller" :aria-label="loudness(texts['transcript.caller'])"
               aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><i></i></div>
        </div>
        <div class="listening-voice">
          <span class="listening-name">{{ texts["drawer.you"] }}</span>
          <div ref="self" class="listening-level" role="meter" data-testid="level-self" :aria-label="loudness(texts['drawer.you'])"
               aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><i></i></div>
        </div>
        <talk-devices v-if="talk" :talk="talk" :texts="texts" />
      </template>
    </div>`,
};
