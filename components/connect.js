// Connecting an agent or a program: pick a stack, copy its lines, and see whether one has come.

import { Acts } from "/assets/acts.js";
import { ApiKeyDialog } from "/assets/api_key_dialog.js";
import { ConnectStanding } from "/assets/connect_standing.js";
import { CopyLines } from "/assets/copy_lines.js";
import { dateMinute, text } from "/assets/format.js";
import { RequestFailed, post } from "/assets/request.js";
import { SecretDialog } from "/assets/secret_dialog.js";
import { Watched } from "/assets/watched.js";

/** The stack that needs no address of Redis, but one of livemon's and a key. */
const API = "api";

export default {
  components: { ApiKeyDialog, ConnectStanding, CopyLines, SecretDialog },
  mixins: [Acts],
  props: { texts: Object, stacks: Array, deployment: Object, manages: Boolean },

  template: `
<div class="connect" data-testid="connect">
  <div class="connect-how">
    <h1 ref="title" tabindex="-1">{{ texts["connect.title"] }}</h1>
    <p class="connect-about">{{ texts["connect.about"] }}</p>
    <fieldset class="connect-stacks">
      <legend>{{ texts["connect.pick"] }}</legend>
      <label v-for="one in stacks" :key="one.name" data-testid="connect-stack" :data-stack="one.name">
        <input v-model="picked" type="radio" name="connect-stack" :value="one.name" />
        <span><strong>{{ say("connect.stack." + one.name) }}</strong><small>{{ say("connect.stack." + one.name + ".text") }}</small></span>
      </label>
    </fieldset>
    <div v-if="notes.length" class="lm-notice connect-notes" data-testid="connect-address">
      <p v-for="note in notes" :key="note">{{ note }}</p>
      <button v-if="mayReveal" type="button" class="lm-button" data-testid="connect-reveal" :disabled="Boolean(busy.reveal)" :aria-pressed="String(revealed !== null)" @click="reveal">
        {{ texts[revealed ? "connect.hide" : "connect.reveal"] }}</button>
      <div v-if="problems.reveal" role="alert" data-testid="connect-problem"><strong>{{ problems.reveal.title }}</strong> {{ problems.reveal.text }}</div>
    </div>
    <div v-if="picked === api" class="connect-key">
      <p>{{ texts[manages ? "connect.key" : "connect.key.ask"] }}</p>
      <button v-if="manages" type="button" class="lm-button" data-testid="connect-make-key" @click="begin">{{ texts["connect.key.make"] }}</button>
      <p v-if="key" role="status" data-testid="connect-key-there">{{ texts["connect.key.there"] }}</p>
      <p v-if="book.trouble && making" role="alert">{{ book.trouble.words || texts["members.unreachable"] }}</p>
    </div>
    <CopyLines v-for="block in blocks" :key="picked + block.name" :texts="texts" :name="block.name" :heading="say('connect.block.' + block.name)" :lines="block.lines" />
    <p class="connect-more">{{ say("connect.more." + picked) }}</p>
  </div>
  <ConnectStanding :texts="texts" :deployment="deployment" />
  <ApiKeyDialog :texts="texts" :rights="book.data?.rights ?? []" :now="book.data?.now ?? 0" :open="making && Boolean(book.data)" :busy="Boolean(busy.make)" :problem="problems.make" @make="make" @cancel="leave" />
  <SecretDialog :texts="texts" :shown="secret" @done="secret = null" />
</div>`,

  data() {
    return {
      api: API,
      picked: this.stacks[0].name,
      book: new Watched("/keys/all"),
      making: false,
      /** @type {any} a key that is shown this once */
      secret: null,
      /** The key that was made here, in the lines until one leaves the page. */
      key: "",
      /** @type {any[] | null} the stacks with the password of Redis in their lines */
      revealed: null,
    };
  },

  computed: {
    blocks() {
      const { blocks } = (this.revealed ?? this.stacks).find(({ name }) => name === this.picked);
      if (!this.key) return blocks;
      return blocks.map((block) => ({ ...block, lines: block.lines.replaceAll(this.deployment.key, this.key) }));
    },

    mayReveal() {
      return this.picked !== API && this.manages && this.deployment.secret && !this.deployment.shared;
    },

    /** What to know of the address in the lines. */
    notes() {
      const { embedded, local, secret, shared, origin } = this.deployment;
      if (this.picked === API) return isLocal(origin) ? [this.say("connect.origin.local", { origin })] : [];
      const notes = [this.say(embedded ? "connect.redis.embedded" : local ? "connect.redis.local" : "connect.redis", this.deployment)];
      if (secret) notes.push(this.texts[this.revealed ? "connect.password.shown" : "connect.password"]);
      if (secret && !this.mayReveal) notes.push(this.texts[this.manages && shared ? "connect.password.shared" : "connect.password.ask"]);
      return notes;
    },
  },

  unmounted() {
    this.book.close();
  },

  methods: {
    say(key, values) {
      return text(this.texts, key, values);
    },

    async reveal() {
      if (this.revealed) {
        this.revealed = null;
        return;
      }
      this.busy.reveal = true;
      delete this.problems.reveal;
      try {
        this.revealed = (await post("/connect/password")).stacks;
      } catch (error) {
        if (!(error instanceof RequestFailed)) throw error;
        this.problems.reveal = { title: this.texts["connect.reveal.failed"], text: error.message || this.texts["members.unreachable"] };
      }
      delete this.busy.reveal;
    },

    begin() {
      this.making = true;
      this.book.open();
    },

    async make(wanted) {
      const { name } = wanted;
      const answer = await this.act({ key: "make", path: "/keys", body: wanted, failed: this.say("key.make.failed", { name }) });
      if (!answer) return;
      this.leave();
      this.key = answer.key;
      this.secret = {
        name: "key-secret",
        heading: this.say("key.shown.heading", { name }),
        before: [this.texts["key.shown.before"]],
        secret: answer.key,
        after: [this.texts["connect.key.after"], this.say("key.until", { time: dateMinute(answer.expires_at) })],
      };
    },

    leave() {
      this.making = false;
      this.book.close();
      delete this.problems.make;
    },
  },
};

/** Whether only this machine reaches it. @param {string} origin */
const isLocal = (origin) => ["localhost", "127.0.0.1", "[::1]"].includes(new URL(origin).hostname);
