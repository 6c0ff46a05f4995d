/**
 * Asks before something that cannot be undone. A native modal <dialog>: it keeps the focus, makes the page behind it inert,
 * and gives the focus back. The way out has the focus first, and Esc takes it.
 */
export const ConfirmDialog = {
  props: {
    open: Boolean,
    heading: { type: String, required: true },
    body: { type: Array, required: true },
    confirmLabel: { type: String, required: true },
    cancelLabel: { type: String, required: true },
    /** Prefix of the buttons' test ids: `end-call` gives `end-call-confirm` and `end-call-cancel`. */
    name: { type: String, required: true },
  },
  emits: ["confirm", "cancel"],
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
    /** A press on the page behind it, not one that began inside and ended there. */
    onPress(event) {
      if (event.target === this.$refs.dialog) this.$emit("cancel");
    },
  },
  template: `
    <dialog ref="dialog" class="confirm-dialog" role="alertdialog" :aria-modal="open || null" :aria-labelledby="name + '-heading'"
            :aria-describedby="name + '-body'" :data-testid="name + '-dialog'" @cancel.prevent="$emit('cancel')" @close="open && $emit('cancel')"
            @pointerdown="onPress">
      <div v-if="open" class="confirm-dialog-content">
        <h2 :id="name + '-heading'">{{ heading }}</h2>
        <div :id="name + '-body'"><p v-for="line in body" :key="line">{{ line }}</p></div>
        <div class="confirm-dialog-buttons">
          <button type="button" class="lm-button" autofocus :data-testid="name + '-cancel'" @click="$emit('cancel')">
            {{ cancelLabel }}
          </button>
          <button type="button" class="lm-button is-danger is-filled" :data-testid="name + '-confirm'" @click="$emit('confirm')">
            {{ confirmLabel }}
          </button>
        </div>
      </div>
    </dialog>`,
};
