// The account menu: name and role, light or dark (theme.js remembers it), and signing out.

import { text } from "/assets/format.js";

const THEMES = ["system", "light", "dark"];

/** "Maya Kim" -> "MK"; "admin" -> "A" */
const initials = (name) => {
  const words = name.trim().split(/\s+/);
  const last = words.length > 1 ? words.at(-1)[0] : "";
  return (([...words[0]][0] ?? "?") + last).toUpperCase();
};

export default {
  props: { texts: Object, name: String, role: String, workspace: String },

  template: `
<div class="account" @keydown.esc.stop="close" @focusout="left">
  <button ref="button" type="button" class="account-button" data-testid="account-menu" aria-haspopup="true" :aria-expanded="String(open)"
    aria-controls="account-panel" :aria-label="say('account.menu', { name })" @click="open = !open"><span aria-hidden="true">{{ initials }}</span></button>
  <div v-show="open" id="account-panel" class="account-panel" data-testid="account-panel">
    <p class="account-who"><strong>{{ name }}</strong><br />{{ say("account.role", { role, workspace }) }}</p>
    <fieldset>
      <legend>{{ texts["theme.label"] }}</legend>
      <label v-for="option in themes" :key="option">
        <input type="radio" name="theme" :value="option" :checked="theme === option" :data-testid="'theme-' + option" @change="choose(option)" />
        <span>{{ texts["theme." + option] }}</span>
      </label>
    </fieldset>
    <button type="button" class="lm-button" data-testid="sign-out" :disabled="leaving" @click="signOut">{{ texts["account.sign_out"] }}</button>
    <p v-if="failed" role="alert" class="account-failed">{{ texts["account.sign_out_failed"] }}</p>
  </div>
</div>`,

  data() {
    return { open: false, theme: window.livemonTheme?.choice() ?? "system", leaving: false, failed: false };
  },

  computed: {
    initials() {
      return initials(this.name);
    },
  },

  created() {
    this.themes = THEMES;
  },

  mounted() {
    document.addEventListener("pointerdown", this.outside);
  },

  unmounted() {
    document.removeEventListener("pointerdown", this.outside);
  },

  methods: {
    say(key, values) {
      return text(this.texts, key, values);
    },

    choose(option) {
      this.theme = option;
      window.livemonTheme.choose(option);
    },

    close() {
      this.open = false;
      this.$refs.button.focus();
    },

    /** A press elsewhere closes it, wherever the focus is: not every browser focuses what is pressed. */
    outside(event) {
      if (!this.$el.contains(event.target)) this.open = false;
    },

    left(event) {
      if (event.relatedTarget && !this.$el.contains(event.relatedTarget)) this.open = false;
    },

    async signOut() {
      this.leaving = true;
      this.failed = false;
      const prefix = window.path_prefix ?? "";
      try {
        const response = await fetch(`${prefix}/sign-out`, { method: "POST", signal: AbortSignal.timeout(10_000) });
        if (!response.ok && response.status !== 401) throw new Error(`sign-out answered ${response.status}`);
        location.assign(`${prefix}/sign-in`);
      } catch (error) {
        console.warn("livemon:", error);
        this.failed = true;
        this.leaving = false;
      }
    },
  },
};
