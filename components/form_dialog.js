/**
 * Asks for what has to be filled in. As `ConfirmDialog` a native modal <dialog>; a press beside it does not close it, since
 * what was filled in would be lost, and neither does anything while `busy`: the answer is shown in its place.
 */
export const FormDialog = {
  props: {
    open: Boolean,
    busy: Boolean,
    heading: { type: String, required: true },
    submitLabel: { type: String, required: true },
    cancelLabel: { type: String, default: "" },
    /** Prefix of the test ids: `invite` gives `invite-dialog`, `invite-submit` and `invite-cancel`. */
    name: { type: String, required: true },
  },
  emits: ["submit", "cancel"],
  mounted() {
    if (this.open) this.$refs.dialog.showModal();
  },
  watch: {
    open: {
      flush: "post",
      handler(open) {
        if (open) this.$refs.dialog.showModal();
        else this.$refs.dialog.close();
      },
    },
  },
  methods: {
    leave() {
      if (!this.busy) this.$emit("cancel");
    },
    /** Some browsers close it at the second Esc, whatever the page says. */
    closed() {
      if (!this.open) return;
      if (this.busy) this.$refs.dialog.showModal();
      else this.$emit("cancel");
    },
  },
  template: `
    <dialog ref="dialog" class="confirm-dialog form-dialog" :aria-labelledby="name + '-heading'" :aria-busy="String(busy)"
            :data-testid="name + '-dialog'" @cancel.prevent="leave" @close="closed">
      <form v-if="open" class="confirm-dialog-content" autocomplete="off" @submit.prevent="busy || $emit('submit')">
        <h2 :id="name + '-heading'">{{ heading }}</h2>
        <slot></slot>
        <div class="confirm-dialog-buttons">
          <button v-if="cancelLabel" type="button" class="lm-button" :disabled="busy" :data-testid="name + '-cancel'" @click="leave">{{ cancelLabel }}</button>
          <button type="submit" class="lm-button is-primary" :disabled="busy" :data-testid="name + '-submit'">{{ submitLabel }}</button>
        </div>
      </form>
    </dialog>`,
};
