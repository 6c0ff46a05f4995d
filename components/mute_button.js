/** Mutes the microphone of the call that one has: it is let go, and asked for again afterwards. */

import { heldCall } from "./held_call.js";
import { icons } from "./icons.js";
import { faultOf } from "./microphone.js";

export const MuteButton = {
  props: {
    muted: Boolean,
    texts: { type: Object, required: true },
  },
  emits: ["failed"],
  data: () => ({ busy: false, icons }),
  methods: {
    async toggle() {
      this.busy = true;
      try {
        await heldCall.toggleMute();
      } catch (error) {
        this.$emit("failed", faultOf(error));
      }
      this.busy = false;
    },
  },
  template: `
    <button type="button" class="lm-button mute-button" data-testid="mute" :aria-pressed="String(muted)" :disabled="busy" @click="toggle">
      <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="muted ? icons.microphoneOff : icons.microphone"/></svg
      >{{ texts[muted ? "talk.muted" : "talk.mute"] }}
    </button>`,
};
