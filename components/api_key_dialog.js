/** What an API key is to be: its name, what it may do, and for how long. */

import { FormDialog } from "./form_dialog.js";
import { dateMinute, text } from "./format.js";

const DAYS = 90;
const DAY_MS = 86_400_000;
/** Nothing of a call is possible without it. */
const ALWAYS = "watch";

const nothing = () => ({ name: "", chosen: [ALWAYS], days: DAYS });

export const ApiKeyDialog = {
  components: { FormDialog },
  props: {
    texts: { type: Object, required: true },
    /** Those that a key can be given, by the server. */
    rights: { type: Array, required: true },
    now: { type: Number, required: true },
    open: Boolean,
    busy: Boolean,
    /** @type {any} {title, text}: what did not work */
    problem: { type: Object, default: null },
  },
  emits: ["make", "cancel"],
  data: nothing,
  watch: {
    open(open) {
      if (open) Object.assign(this, nothing());
    },
  },
  computed: {
    until() {
      const days = Number(this.days);
      const known = Number.isInteger(days) && days >= 1 && days <= 366;
      return known ? text(this.texts, "key.until", { time: dateMinute(this.now + days * DAY_MS) }) : this.texts["key.days.range"];
    },
  },
  methods: {
    words(name) {
      return this.texts[`right.${name}.words`] ?? "";
    },

    isAlways: (name) => name === ALWAYS,

    make() {
      const { name, chosen, rights, days } = this;
      this.$emit("make", { name: name.trim(), rights: rights.filter((one) => chosen.includes(one)), days: Number(days) });
    },
  },
  template: `
    <FormDialog :open="open" :busy="busy" name="key-make" :heading="texts['key.make.heading']" :submit-label="texts['key.make.submit']" :cancel-label="texts['key.make.cancel']"
                @submit="make" @cancel="$emit('cancel')">
      <label class="field"><span>{{ texts["key.name"] }}</span>
        <input v-model="name" type="text" required maxlength="100" pattern=".*\\S.*" autocomplete="off" autofocus data-testid="key-name" aria-describedby="key-name-words" /></label>
      <p id="key-name-words" class="field-note">{{ texts["key.name.words"] }}</p>
      <fieldset class="choices">
        <legend>{{ texts["key.rights"] }}</legend>
        <label v-for="one in rights" :key="one" class="choice">
          <input v-model="chosen" type="checkbox" :value="one" :disabled="isAlways(one)" :data-testid="'key-right-' + one" />
          <span>{{ texts["right." + one] ?? one }}<small v-if="words(one)">{{ words(one) }}</small></span>
        </label>
      </fieldset>
      <label class="field"><span>{{ texts["key.days"] }}</span>
        <input v-model="days" type="number" inputmode="numeric" required min="1" max="366" step="1" data-testid="key-days" aria-describedby="key-until-words" /></label>
      <p id="key-until-words" class="field-note" data-testid="key-until-words">{{ until }}</p>
      <div v-if="problem" class="lm-notice is-problem" role="alert" data-testid="key-make-problem"><strong>{{ problem.title }}</strong><span>{{ problem.text }}</span></div>
    </FormDialog>`,
};
