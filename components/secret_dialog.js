/** Shows a secret, once: what it is, how to take it along, and that it will not be shown again. */

import { FormDialog } from "./form_dialog.js";

export const SecretDialog = {
  components: { FormDialog },
  props: {
    texts: { type: Object, required: true },
    /** @type {any} null: nothing to be shown. {name, heading, before: string[], secret, after: string[]} */
    shown: { type: Object, default: null },
  },
  emits: ["done"],
  data: () => ({ told: "" }),
  computed: {
    name() {
      return this.shown?.name ?? "secret";
    },
  },
  watch: {
    shown() {
      this.told = "";
    },
  },
  methods: {
    async copy() {
      try {
        await navigator.clipboard.writeText(this.shown.secret);
        this.told = "copied";
      } catch {
        getSelection()?.selectAllChildren(this.$refs.secret); // a page that is not secure has no clipboard
        this.told = "secret.by_hand";
      }
    },
  },
  template: `
    <FormDialog :open="shown !== null" :name="name" :heading="shown?.heading ?? ''" :submit-label="texts['secret.done']" @submit="$emit('done')" @cancel="$emit('done')">
      <p v-for="line in shown.before" :key="line">{{ line }}</p>
      <div class="lm-command is-secret">
        <code ref="secret" :data-testid="name">{{ shown.secret }}</code>
        <button type="button" class="lm-button" autofocus :data-testid="name + '-copy'" @click="copy">{{ texts[told === "copied" ? "copied" : "copy"] }}</button>
      </div>
      <p class="lm-quiet" role="status">{{ told === "copied" ? texts["copied"] : "" }}</p>
      <p v-if="told === 'secret.by_hand'" role="alert">{{ texts["secret.by_hand"] }}</p>
      <p v-for="line in shown.after" :key="line">{{ line }}</p>
    </FormDialog>`,
};
