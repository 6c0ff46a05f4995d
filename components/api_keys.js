// The workspace's API keys: what machines may ask livemon for, and until when.

import { Acts } from "/assets/acts.js";
import { ApiKeyDialog } from "/assets/api_key_dialog.js";
import { ApiKeyRow, stateOf } from "/assets/api_key_row.js";
import { ConfirmDialog } from "/assets/confirm_dialog.js";
import { clockTime, dateMinute, plural, text } from "/assets/format.js";
import { SecretDialog } from "/assets/secret_dialog.js";
import { Watched } from "/assets/watched.js";

export default {
  components: { ApiKeyDialog, ApiKeyRow, ConfirmDialog, SecretDialog },
  mixins: [Acts],
  props: { texts: Object },

  template: `
<div class="admission" data-testid="keys" :aria-busy="String(book.loading)">
  <div class="admission-top">
    <h1 ref="title" tabindex="-1">{{ texts["keys.title"] }}</h1>
    <p class="lm-number" data-testid="keys-summary">{{ summary }}</p>
    <button type="button" class="lm-button is-primary" data-testid="key-make" :disabled="!book.data" @click="making = true">{{ texts["keys.make"] }}</button>
  </div>
  <p class="admission-said" role="status" data-testid="keys-said">{{ said }}</p>
  <div v-if="book.trouble" class="lm-notice" role="alert" data-testid="keys-error">
    <strong>{{ texts["keys.failed"] }}</strong><span>{{ trouble }}</span>
    <button type="button" class="lm-button" data-testid="keys-reload" :disabled="book.loading" @click="book.load()">{{ texts["members.reload"] }}</button>
  </div>
  <p v-if="!book.data && !book.trouble" class="admission-empty">{{ texts["keys.loading"] }}</p>
  <div v-if="book.data && !keys.length" class="admission-empty" data-testid="keys-empty"><h2>{{ texts["keys.none"] }}</h2><p>{{ texts["keys.none.text"] }}</p></div>
  <ul v-if="keys.length" class="entries" :aria-label="texts['keys.title']">
    <ApiKeyRow v-for="key in keys" :key="key.id" :texts="texts" :entry="key" :now="book.data.now" :busy="Boolean(busy[key.id])" :problem="problems[key.id]" @revoke="ask(revoking(key))" />
  </ul>
  <ApiKeyDialog :texts="texts" :rights="book.data?.rights ?? []" :now="book.data?.now ?? 0" :open="making" :busy="Boolean(busy.make)" :problem="problems.make" @make="make" @cancel="leave" />
  <SecretDialog :texts="texts" :shown="secret" @done="secret = null" />
  <ConfirmDialog :open="asking !== null" :name="asking?.name ?? 'ask'" :heading="asking?.heading ?? ''" :body="asking?.body ?? []" :confirm-label="asking?.confirm ?? ''"
    :cancel-label="asking?.cancel ?? ''" :tone="asking?.tone" @confirm="answer(true)" @cancel="answer(false)" />
</div>`,

  data() {
    return {
      book: new Watched("/keys/all"),
      making: false,
      /** @type {any} a key that is shown this once */
      secret: null,
    };
  },

  computed: {
    /** Those that work first, the newest first of each. */
    keys() {
      const { keys, now } = this.book.data ?? { keys: [], now: 0 };
      const over = (key) => Number(stateOf(key, now) !== "good");
      return [...keys].sort((one, other) => over(one) - over(other) || other.created_at - one.created_at || one.id.localeCompare(other.id));
    },

    summary() {
      if (!this.book.data) return "";
      return plural(this.texts, "keys.count", this.book.data.keys.filter((key) => stateOf(key, this.book.data.now) === "good").length);
    },

    trouble() {
      const { words, since } = this.book.trouble;
      const why = words || this.texts["members.unreachable"];
      return since === null ? why : `${why} ${text(this.texts, "members.from", { time: clockTime(since) })}`;
    },
  },

  mounted() {
    this.book.open();
  },

  unmounted() {
    this.book.close();
  },

  methods: {
    async make(wanted) {
      const { name } = wanted;
      const answer = await this.act({ key: "make", path: "/keys", body: wanted, failed: text(this.texts, "key.make.failed", { name }) });
      if (!answer) return;
      this.making = false;
      this.secret = {
        name: "key-secret",
        heading: text(this.texts, "key.shown.heading", { name }),
        before: [this.texts["key.shown.before"]],
        secret: answer.key,
        after: [this.texts["key.shown.after"], text(this.texts, "key.until", { time: dateMinute(answer.expires_at) })],
      };
    },

    leave() {
      this.making = false;
      delete this.problems.make;
    },

    /** @returns {import("./acts.js").Question} */
    revoking({ id, name }) {
      const say = (/** @type {string} */ key) => text(this.texts, key, { name });
      return {
        name: "key-revoke",
        heading: say("key.revoke.heading"),
        body: [say("key.revoke.body")],
        confirm: say("key.revoke.confirm"),
        cancel: say("key.revoke.cancel"),
        act: { key: id, path: `/keys/${encodeURIComponent(id)}/revoke`, done: say("key.revoke.done"), failed: say("key.revoke.failed") },
      };
    },
  },
};
