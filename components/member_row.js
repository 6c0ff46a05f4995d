/** One person of the workspace: who, in which role, seen when, on which devices. It asks for things, and does none. */

import { deviceWords } from "./device.js";
import { dateMinute, dateTime, relativeTime, text } from "./format.js";
import { ROLES } from "./member_words.js";

export const MemberRow = {
  props: {
    texts: { type: Object, required: true },
    member: { type: Object, required: true },
    now: { type: Number, required: true },
    busy: Boolean,
    /** The role that one is being asked about. */
    wanted: { type: String, default: "" },
    /** @type {any} {title, text}: what did not work */
    problem: { type: Object, default: null },
  },
  emits: ["role", "remove", "link", "end"],
  created() {
    this.roles = ROLES;
  },
  computed: {
    sessions() {
      return [...this.member.sessions].sort((one, other) => Number(other.this) - Number(one.this) || other.created_at - one.created_at);
    },
    seen() {
      const { last_seen: seen } = this.member;
      return seen === null ? this.texts["member.never"] : this.say("member.seen", { when: relativeTime(seen, this.now) });
    },
    how() {
      return this.member.by ? this.say("member.by", { by: this.member.by }) : this.texts["member.by_link"];
    },
  },
  methods: {
    dateTime,

    say(key, values) {
      return text(this.texts, key, values);
    },

    device(session) {
      return deviceWords(this.texts, session.device);
    },

    times(session) {
      return this.say("session.times", { since: dateMinute(session.created_at), used: relativeTime(session.last_seen_at, this.now) });
    },
  },
  template: `
    <li class="entry" data-testid="member" :data-user-id="member.user_id" :data-role="member.role" :aria-busy="String(busy)">
      <div class="entry-head">
        <div class="entry-what">
          <h2 dir="auto">{{ member.name }}</h2> <span v-if="member.you" class="lm-chip is-accent"><span>{{ texts["member.you"] }}</span></span>
          <p v-if="member.email" data-testid="member-email">{{ member.email }}</p>
          <p><span data-testid="member-how">{{ how }}</span> · <span data-testid="member-seen" :title="member.last_seen === null ? null : dateTime(member.last_seen)">{{ seen }}</span></p>
        </div>
        <div class="entry-acts">
          <select data-testid="member-role" :value="wanted || member.role" :disabled="busy || member.role_by !== null" :aria-label="say('member.role', { name: member.name })"
                  :aria-describedby="member.role_by === null ? null : 'role-by-' + member.user_id" @change="$emit('role', $event.target.value)">
            <option v-for="role in roles" :key="role" :value="role">{{ texts["role." + role] }}</option>
          </select>
          <button v-if="member.by === null" type="button" class="lm-button" data-testid="member-link" :disabled="busy" :aria-label="say('member.link.of', { name: member.name })" @click="$emit('link')">{{ texts["member.link"] }}</button>
          <button type="button" class="lm-button is-danger" data-testid="member-remove" :disabled="busy" :aria-label="say('member.remove.of', { name: member.name })" @click="$emit('remove')">{{ texts["member.remove"] }}</button>
        </div>
      </div>
      <p v-if="member.role_by !== null" :id="'role-by-' + member.user_id" class="entry-note" data-testid="member-role-by">{{ say("member.role.by", { by: member.role_by }) }}</p>
      <div v-if="problem" class="lm-notice is-problem" role="alert" data-testid="member-problem"><strong>{{ problem.title }}</strong><span>{{ problem.text }}</span></div>
      <ul v-if="sessions.length" class="sessions" :aria-label="say('session.list', { name: member.name })">
        <li v-for="session in sessions" :key="session.id" data-testid="session" :data-session-id="session.id" :data-this="session.this || null">
          <div>
            <strong :title="session.device">{{ device(session) }}</strong> <span v-if="session.this" class="lm-chip is-accent"><span>{{ texts["session.this"] }}</span></span>
            <p><span v-if="session.address" class="lm-mono">{{ session.address }}</span> <span>{{ times(session) }}</span></p>
          </div>
          <button type="button" class="lm-button" data-testid="session-end" :data-this="session.this || null" :disabled="busy" :aria-label="say('session.end.of', { name: member.name, device: device(session) })" @click="$emit('end', session)">{{ texts["session.end"] }}</button>
        </li>
      </ul>
      <p v-else class="entry-note">{{ texts["session.none"] }}</p>
    </li>`,
};
