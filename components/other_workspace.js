// A call's address whose call is in another workspace of one's own. Whoever has come by it is led there; a page that is only
// loaded again asks first: otherwise two tabs on calls of two workspaces would take the session from each other for ever.

import { text } from "/assets/format.js";
import { cameByAddress, goTo } from "/assets/workspaces.js";

export default {
  props: { texts: Object, call_id: String, slug: String, name: String, at_once: Boolean },

  template: `
<div class="lm-plain">
  <section class="lm-card" data-testid="other-workspace" :data-slug="slug">
    <h1>{{ say(going ? "workspace.going" : "workspace.other.title", { name }) }}</h1>
    <p v-if="!going">{{ say("workspace.other.text", { name }) }}</p>
    <p v-if="failed" role="alert" class="account-failed">{{ failed }}</p>
    <button type="button" class="lm-button is-primary" data-testid="workspace-switch" :data-slug="slug" :disabled="going" @click="go">
      {{ texts["workspace.other.go"] }}
    </button>
  </section>
</div>`,

  data() {
    return { going: false, failed: "" };
  },

  mounted() {
    if (this.at_once && cameByAddress()) void this.go();
  },

  methods: {
    say(key, values) {
      return text(this.texts, key, values);
    },

    async go() {
      this.going = true;
      this.failed = "";
      this.failed = await goTo(this.texts, this.slug, `/live/${encodeURIComponent(this.call_id)}`);
      this.going = this.failed === "";
    },
  },
};
