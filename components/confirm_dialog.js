import { isSecondPress, swallowSecondPress } from "./second_press.js";

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
    /** How the confirming button looks. */
    tone: { type: String, default: "is-danger is-filled" },
  },
  emits: ["confirm", "cancel"],
  created() {
    /** Of the last click while it was closed: it opened it, if anything did. The event itself would keep what it went to. */
    this.opener = null;
  },
  mounted() {
    window.addEventListener("click", this.remember, true);
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
  unmounted() {
    window.removeEventListener("click", this.remember, true);
  },
  methods: {
    remember(event) {
      const { detail, timeStamp, clientX, clientY } = event;
      if (!this.open) this.opener = { detail, timeStamp, clientX, clientY };
    },
    /** Emits what was chosen; the second press of a double click is not for what lies beneath. */
    choose(event, outcome) {
      swallowSecondPress(event);
      this.$emit(outcome);
    },
    /** Not by the second press of the double click that opened it. */
    onPress(event) {
      this.pressedBehind = event.target === this.$refs.dialog && !isSecondPress(this.opener, event);
    },
    /** A press behind it takes no focus from what it asks. */
    onMouse(event) {
      if (event.target === this.$refs.dialog) event.preventDefault();
    },
    /** A click on the page behind it, not one that began inside and ended there. */
    onClick(event) {
      if (this.pressedBehind && event.target === this.$refs.dialog) this.choose(event, "cancel");
      this.pressedBehind = false;
    },
  },
  template: `
    <dialog ref="dialog" class="confirm-dialog" role="alertdialog" :aria-modal="open || null" :aria-labelledby="name + '-heading'"
            :aria-describedby="name + '-body'" :data-testid="name + '-dialog'" @cancel.prevent="$emit('cancel')" @close="open && $emit('cancel')"
            @pointerdown="onPress" @mousedown="onMouse" @click="onClick">
      <div v-if="open" class="confirm-dialog-content">
        <h2 :id="name + '-heading'">{{ heading }}</h2>
        <div :id="name + '-body'"><p v-for="line in body" :key="line">{{ line }}</p></div>
        <div class="confirm-dialog-buttons">
          <button type="button" class="lm-button" autofocus :data-testid="name + '-cancel'" @click="choose($event, 'cancel')">
            {{ cancelLabel }}
          </button>
          <button type="button" class="lm-button" :class="tone" :data-testid="name + '-confirm'" @click="choose($event, 'confirm')">
            {{ confirmLabel }}
          </button>
        </div>
      </div>
    </dialog>`,
};
