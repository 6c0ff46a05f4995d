/**
 * The drawer: stands in the shell for good, slides in while a call is open, and swaps the panel when another one is. It emits
 * `close` and `audio` ({call_id, listening}); which call is open is the page's to say (`call_id`).
 */

import { CallPanel } from "/assets/call_panel.js";
import { modalOpen } from "/assets/keyboard.js";

/** Below this width the drawer covers the list, so that is where the keyboard has to be, too. */
const COVERS = matchMedia("(max-width: 899.98px)");

export default {
  components: { CallPanel },
  props: {
    call_id: String,
    texts: { type: Object, required: true },
    user_id: { type: String, default: "" },
    /** What the person may do, by the names of livemon/access/roles.py. */
    may: { type: Array, required: true },
  },
  emits: ["close", "audio"],
  watch: {
    call_id(callId, before) {
      const hadFocus = this.$el.contains?.(document.activeElement);
      this.$nextTick(() => this.moveFocus(callId, before, hadFocus));
    },
  },
  created() {
    this.cameFrom = null;
  },
  mounted() {
    window.addEventListener("keydown", this.onKey);
    if (this.call_id) this.moveFocus(this.call_id, null, false);
  },
  unmounted() {
    window.removeEventListener("keydown", this.onKey);
  },
  methods: {
    /** Close the drawer, as its button does. */
    close() {
      if (this.call_id) this.$emit("close");
    },

    onKey(event) {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing || modalOpen()) return;
      this.close();
    },

    /** The list keeps the focus, and its arrows, for as long as it is in sight; focus that the drawer had goes back. */
    moveFocus(callId, before, hadFocus) {
      const active = document.activeElement;
      if (callId && !before) this.cameFrom = active === document.body ? null : active;
      if (callId && (COVERS.matches || hadFocus)) this.$refs.panel?.focus();
      if (!callId && (hadFocus || active === document.body)) this.cameFrom?.focus({ preventScroll: true });
    },
  },
  template: `
    <transition name="drawer">
      <aside v-if="call_id" class="call-drawer" data-testid="call-drawer" :data-call-id="call_id" :aria-label="texts['drawer.label']">
        <call-panel ref="panel" :key="call_id" :call-id="call_id" :texts="texts" :user-id="user_id" :may="may" @close="close"
                    @audio="$emit('audio', $event)" />
      </aside>
    </transition>`,
};
