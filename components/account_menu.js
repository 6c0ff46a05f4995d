// The account menu: name and role, one's workspaces, light or dark (theme.js remembers it), and signing out.

import { text } from "/assets/format.js";
import { RequestFailed, get } from "/assets/request.js";
import { goTo } from "/assets/workspaces.js";

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
    aria-controls="account-panel" :aria-label="say('account.menu', { name })" @click="toggle"><span aria-hidden="true">{{ initials }}</span></button>
  <div v-show="open" id="account-panel" class="account-panel" data-testid="account-panel">
    <p class="account-who"><strong>{{ name }}</strong><br />{{ say("account.role", { role, workspace: workspaceName }) }}</p>
    <div v-if="unread || workspaces.length > 1" class="account-workspaces" role="group" :aria-label="texts['workspace.label']" data-testid="workspaces">
      <p v-if="unread" role="alert" class="account-failed">{{ texts["workspace.unread"] }}</p>
      <button v-for="one in workspaces" :key="one.slug" type="button" class="lm-button" data-testid="workspace-switch" :data-slug="one.slug"
        :aria-current="one.current ? 'true' : null" :disabled="one.current || leaving" @click="switchTo(one.slug)">
        <span>{{ one.name }}</span><span class="account-role">{{ texts["role." + one.role] }}</span>
      </button>
      <p v-if="stays" role="alert" class="account-failed">{{ stays }}</p>
    </div>
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
    const theme = window.livemonTheme?.choice() ?? "system";
    return { open: false, theme, leaving: false, failed: false, workspaces: [], unread: false, stays: "" };
  },

  computed: {
    initials() {
      return initials(this.name);
    },

    /** The slug, until the name is known. */
    workspaceName() {
      return this.workspaces.find((one) => one.slug === this.workspace)?.name ?? this.workspace;
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

    /** Which workspaces there are is asked for each time: somebody may just have let one into another. */
    async toggle() {
      this.open = !this.open;
      if (!this.open) return;
      this.stays = "";
      try {
        this.workspaces = (await get("/workspaces")).workspaces;
        this.unread = false;
      } catch (error) {
        if (!(error instanceof RequestFailed)) throw error;
        this.unread = error.code !== "unauthenticated"; // then the page itself says so
      }
    },

    async switchTo(slug) {
      this.leaving = true;
      this.stays = await goTo(this.texts, slug);
      this.leaving = this.stays === "";
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

    /** In whichever workspace the browser is by now: it names none. */
    async signOut() {
      this.leaving = true;
      this.failed = false;
      window.livemonLeaves = true; // so that nobody reloads this page because its session is over
      const prefix = window.path_prefix ?? "";
      try {
        const response = await fetch(`${prefix}/sign-out`, { method: "POST", signal: AbortSignal.timeout(10_000) });
        if (!response.ok && response.status !== 401) throw new Error(`sign-out answered ${response.status}`);
        const there = response.status === 200 ? (await response.json()).next : null; // out at the identity provider, too
        location.assign(there ?? `${prefix}/sign-in`);
      } catch (error) {
        window.livemonLeaves = false;
        console.warn("livemon:", error);
        this.failed = true;
        this.leaving = false;
      }
    },
  },
};
