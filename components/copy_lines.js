/** Lines to be copied at once, with a heading and a button. */

import { copyText } from "./clipboard.js";
import { icons } from "./icons.js";

const SAID_FOR_MS = 4000;

export const CopyLines = {
  props: {
    texts: { type: Object, required: true },
    name: { type: String, required: true },
    heading: { type: String, required: true },
    lines: { type: String, required: true },
  },
  /** `told`: "copied" or "by_hand", for a while */
  data: () => ({ told: "" }),
  created() {
    this.icons = icons;
  },
  unmounted() {
    clearTimeout(this.timer);
  },
  watch: {
    lines() {
      this.told = "";
    },
  },
  methods: {
    async copy() {
      clearTimeout(this.timer);
      this.told = ""; // so that a screen reader is told again
      const copied = await copyText(this.lines, this.$refs.lines);
      this.told = copied ? "copied" : "by_hand";
      if (copied) this.timer = setTimeout(() => (this.told = ""), SAID_FOR_MS);
    },
  },
  template: `
    <div class="copy-lines">
      <div class="copy-lines-head">
        <h2 :id="'lines-' + name">{{ heading }}</h2>
        <button type="button" class="lm-button" data-testid="connect-copy" :data-block="name" :aria-describedby="'lines-' + name" @click="copy">
          <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="told === 'copied' ? icons.check : icons.copy" /></svg>
          <span>{{ texts[told === "copied" ? "copied" : "copy"] }}</span>
        </button>
      </div>
      <pre ref="lines" tabindex="0" role="region" :aria-labelledby="'lines-' + name" data-testid="connect-lines" :data-block="name">{{ lines }}</pre>
      <p class="lm-quiet" role="status">{{ told === "copied" ? texts["copied"] : "" }}</p>
      <p v-if="told === 'by_hand'" role="alert">{{ texts["secret.by_hand"] }}</p>
    </div>`,
};
