/** The word on a take-over that did not come about, or is no more: what happened, what it means for the caller, what to do. */

import { icons } from "./icons.js";
import { talkEnding } from "./talk_words.js";

const TEST_IDS = { cancelled: "take-over-cancelled", lost: "take-over-lost", ended: "take-over-ended" };

export const TalkEnding = {
  props: {
    ending: { type: Object, required: true },
    texts: { type: Object, required: true },
  },
  emits: ["dismiss"],
  data: () => ({ icons, TEST_IDS }),
  computed: {
    words() {
      return talkEnding(this.texts, this.ending);
    },
  },
  template: `
    <div class="panel-notice" :class="'is-' + words.tone" :data-testid="TEST_IDS[ending.kind]" :data-reason="ending.reason"
         :data-call-id="ending.callId">
      <div><strong>{{ words.title }}</strong><p>{{ words.text }}</p></div>
      <button type="button" class="lm-button is-plain" :aria-label="texts['drawer.dismiss']" @click="$emit('dismiss')">
        <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.close"/></svg>
      </button>
    </div>`,
};
