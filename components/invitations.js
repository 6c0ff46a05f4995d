/** The invitations that nobody has used yet, and the dialog that makes one. */

import { FormDialog } from "./form_dialog.js";
import { dateMinute, relativeTime, text } from "./format.js";
import { ROLES } from "./member_words.js";

export const Invitations = {
  props: {
    texts: { type: Object, required: true },
    invitations: { type: Array, required: true },
    now: { type: Number, required: true },
    busy: { type: Object, required: true },
    problems: { type: Object, required: true },
  },
  emits: ["revoke"],
  methods: {
    dateMinute,

    say(key, values) {
      return text(this.texts, key, values);
    },

    key: (invitation) => `invitation ${invitation.id}`,

    name(invitation) {
      return invitation.name || this.texts["invitation.unnamed"];
    },

    facts({ role, created_by: by, expires_at: expires }) {
      const values = { role: this.texts[`role.${role}`], by: by || this.texts["invitation.nobody"], when: relativeTime(expires, this.now) };
      return this.say("invitation.facts", values);
    },
  },
  template: `
    <section v-if="invitations.length" class="entries-section">
      <h2 id="open-invitations">{{ texts["invitation.open"] }}</h2>
      <ul class="entries" aria-labelledby="open-invitations">
        <li v-for="one in invitations" :key="one.id" class="entry" data-testid="invitation" :data-invitation-id="one.id" :data-role="one.role">
          <div class="entry-head">
            <div class="entry-what"><h3 dir="auto">{{ name(one) }}</h3><p :title="dateMinute(one.expires_at)">{{ facts(one) }}</p></div>
            <div class="entry-acts">
              <button type="button" class="lm-button is-danger" data-testid="invitation-revoke" :disabled="Boolean(busy[key(one)])" :aria-label="say('invitation.revoke.of', { name: name(one) })" @click="$emit('revoke', one)">{{ texts["invitation.revoke"] }}</button>
            </div>
          </div>
          <div v-if="problems[key(one)]" class="lm-notice is-problem" role="alert" data-testid="invitation-problem"><strong>{{ problems[key(one)].title }}</strong><span>{{ problems[key(one)].text }}</span></div>
        </li>
      </ul>
    </section>`,
};

export const InviteDialog = {
  components: { FormDialog },
  props: {
    texts: { type: Object, required: true },
    open: Boolean,
    busy: Boolean,
    /** @type {any} {title, text}: what did not work */
    problem: { type: Object, default: null },
  },
  emits: ["invite", "cancel"],
  data: () => ({ name: "", role: "developer" }),
  created() {
    this.roles = ROLES;
  },
  watch: {
    open(open) {
      if (open) Object.assign(this, { name: "", role: "developer" });
    },
  },
  template: `
    <FormDialog :open="open" :busy="busy" name="invite" :heading="texts['invite.heading']" :submit-label="texts['invite.submit']" :cancel-label="texts['invite.cancel']"
                @submit="$emit('invite', { name: name.trim(), role })" @cancel="$emit('cancel')">
      <p>{{ texts["invite.body"] }}</p>
      <label class="field"><span>{{ texts["invite.name"] }}</span>
        <input v-model="name" type="text" required maxlength="100" pattern=".*\\S.*" autocomplete="off" autofocus data-testid="invite-name" /></label>
      <label class="field"><span>{{ texts["invite.role"] }}</span>
        <select v-model="role" data-testid="invite-role" aria-describedby="invite-role-words">
          <option v-for="one in roles" :key="one" :value="one">{{ texts["role." + one] }}</option>
        </select></label>
      <p id="invite-role-words" class="field-note">{{ texts["member.role." + role] }}</p>
      <div v-if="problem" class="lm-notice is-problem" role="alert" data-testid="invite-problem"><strong>{{ problem.title }}</strong><span>{{ problem.text }}</span></div>
    </FormDialog>`,
};
