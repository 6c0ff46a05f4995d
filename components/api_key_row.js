/** One API key: what it is for, what it may do, and whether it still does. It asks for things, and does none. */

import { dateMinute, dateTime, relativeTime, text } from "./format.js";

/** @typedef {{id: string, name: string, rights: string[], created_by: string, created_at: number, expires_at: number, revoked_at: number | null, last_used_at: number | null}} ApiKey */

const ENDS = { good: "key.expires_at", expired: "key.expired_at", revoked: "key.revoked_at" };
const TONES = { good: "is-ok", expired: "is-warn", revoked: "is-danger" };

/** @param {ApiKey} key @param {number} now @returns {keyof typeof TONES} */
export function stateOf({ revoked_at: revoked, expires_at: expires }, now) {
  if (revoked !== null) return "revoked";
  return expires <= now ? "expired" : "good";
}

export const ApiKeyRow = {
  props: {
    texts: { type: Object, required: true },
    /** @type {any} an ApiKey; `key` is Vue's own */
    entry: { type: Object, required: true },
    now: { type: Number, required: true },
    busy: Boolean,
    /** @type {any} {title, text}: what did not work */
    problem: { type: Object, default: null },
  },
  emits: ["revoke"],
  computed: {
    state() {
      return stateOf(this.entry, this.now);
    },
    tone() {
      return TONES[stateOf(this.entry, this.now)];
    },
    until() {
      const { revoked_at: revoked, expires_at: expires } = this.entry;
      const at = revoked ?? expires;
      return this.say(ENDS[stateOf(this.entry, this.now)], { time: dateMinute(at), when: relativeTime(at, this.now) });
    },
    used() {
      const { last_used_at: used } = this.entry;
      return used === null ? this.texts["key.never_used"] : this.say("key.used", { when: relativeTime(used, this.now) });
    },
  },
  methods: {
    dateMinute,
    dateTime,

    say(key, values) {
      return text(this.texts, key, values);
    },

    right(name) {
      return this.texts[`right.${name}`] ?? name;
    },
  },
  template: `
    <li class="entry" data-testid="key" :data-key-id="entry.id" :data-state="state" :aria-busy="String(busy)">
      <div class="entry-head">
        <div class="entry-what">
          <h2 dir="auto">{{ entry.name }}</h2> <span class="lm-chip" :class="tone" data-testid="key-state"><span>{{ texts["key.state." + state] }}</span></span>
          <p class="lm-mono">lmk_{{ entry.id }}_…</p>
          <p>{{ say("key.made", { by: entry.created_by || texts["invitation.nobody"], time: dateMinute(entry.created_at) }) }}</p>
          <p><span data-testid="key-until">{{ until }}</span> · <span data-testid="key-used" :title="entry.last_used_at === null ? null : dateTime(entry.last_used_at)">{{ used }}</span></p>
        </div>
        <div v-if="state === 'good'" class="entry-acts">
          <button type="button" class="lm-button is-danger" data-testid="key-revoke" :disabled="busy" :aria-label="say('key.revoke.of', { name: entry.name })" @click="$emit('revoke')">{{ texts["key.revoke"] }}</button>
        </div>
      </div>
      <ul class="key-rights" :aria-label="say('key.rights.of', { name: entry.name })"><li v-for="name in entry.rights" :key="name" class="lm-chip" data-testid="key-right" :data-right="name"><span>{{ right(name) }}</span></li></ul>
      <div v-if="problem" class="lm-notice is-problem" role="alert" data-testid="key-problem"><strong>{{ problem.title }}</strong><span>{{ problem.text }}</span></div>
    </li>`,
};
