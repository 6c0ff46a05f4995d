// The people of the workspace: their roles, the browsers in which they are signed in, and who is invited.

import { Acts } from "/assets/acts.js";
import { ConfirmDialog } from "/assets/confirm_dialog.js";
import { clockTime, dateMinute, plural, text } from "/assets/format.js";
import { Invitations, InviteDialog } from "/assets/invitations.js";
import { MemberRow } from "/assets/member_row.js";
import { memberWords } from "/assets/member_words.js";
import { SecretDialog } from "/assets/secret_dialog.js";
import { Watched } from "/assets/watched.js";

export default {
  components: { ConfirmDialog, Invitations, InviteDialog, MemberRow, SecretDialog },
  mixins: [Acts],
  props: { texts: Object },

  template: `
<div class="admission" data-testid="members" :aria-busy="String(book.loading)">
  <div class="admission-top">
    <h1 ref="title" tabindex="-1">{{ texts["members.title"] }}</h1>
    <p class="lm-number" data-testid="members-summary">{{ summary }}</p>
    <button type="button" class="lm-button is-primary" data-testid="invite" @click="inviting = true">{{ texts["members.invite"] }}</button>
  </div>
  <p class="admission-said" role="status" data-testid="members-said">{{ said }}</p>
  <div v-if="book.trouble" class="lm-notice" role="alert" data-testid="members-error">
    <strong>{{ texts["members.failed"] }}</strong><span>{{ trouble }}</span>
    <button type="button" class="lm-button" data-testid="members-reload" :disabled="book.loading" @click="book.load()">{{ texts["members.reload"] }}</button>
  </div>
  <div v-if="lost" class="lm-notice is-problem" role="alert" data-testid="members-problem"><strong>{{ lost.title }}</strong><span>{{ lost.text }}</span></div>
  <p v-if="!book.data && !book.trouble" class="admission-empty">{{ texts["members.loading"] }}</p>
  <ul v-if="book.data" class="entries" :aria-label="texts['members.title']">
    <MemberRow v-for="member in members" :key="member.user_id" :texts="texts" :member="member" :now="book.data.now" :busy="Boolean(busy[member.user_id])"
      :problem="problems[member.user_id]" :wanted="wanted(member)" @role="changeRole(member, $event)" @remove="ask(words.remove(member))" @end="ask(words.end(member, $event))" @link="link(member)" />
  </ul>
  <Invitations v-if="book.data" :texts="texts" :invitations="book.data.invitations" :now="book.data.now" :busy="busy" :problems="problems" @revoke="ask(words.revoke($event))" />
  <InviteDialog :texts="texts" :open="inviting" :busy="Boolean(busy.invite)" :problem="problems.invite" @invite="invite" @cancel="leaveInvite" />
  <SecretDialog :texts="texts" :shown="secret" @done="secret = null" />
  <ConfirmDialog :open="asking !== null" :name="asking?.name ?? 'ask'" :heading="asking?.heading ?? ''" :body="asking?.body ?? []" :confirm-label="asking?.confirm ?? ''"
    :cancel-label="asking?.cancel ?? ''" :tone="asking?.tone" @confirm="answer(true)" @cancel="answer(false)" />
</div>`,

  data() {
    return {
      book: new Watched("/members/all"),
      inviting: false,
      /** @type {any} a link that is shown this once */
      secret: null,
    };
  },

  computed: {
    /** In an order that nothing changes but a name. */
    members() {
      const { members } = this.book.data;
      return [...members].sort((one, other) => one.name.localeCompare(other.name) || one.user_id.localeCompare(other.user_id));
    },

    summary() {
      if (!this.book.data) return "";
      const { members } = this.book.data;
      const signedIn = members.filter((member) => member.sessions.length).length;
      return `${plural(this.texts, "members.count", members.length)} · ${text(this.texts, "members.signed_in", { n: signedIn })}`;
    },

    trouble() {
      const { words, since } = this.book.trouble;
      const why = words || this.texts["members.unreachable"];
      return since === null ? why : `${why} ${text(this.texts, "members.from", { time: clockTime(since) })}`;
    },

    /** What did not work with an entry that is not there any more. */
    lost() {
      if (!this.book.data) return null;
      const { members, invitations } = this.book.data;
      const there = new Set(["invite", ...members.map((one) => one.user_id), ...invitations.map((one) => `invitation ${one.id}`)]);
      return Object.entries(this.problems).find(([key]) => !there.has(key))?.[1] ?? null;
    },
  },

  created() {
    this.words = memberWords(this.texts);
  },

  mounted() {
    this.book.open();
  },

  unmounted() {
    this.book.close();
  },

  methods: {
    changeRole(member, role) {
      if (role !== member.role) this.ask(this.words.role(member, role));
    },

    /** The role that one is asked about, or that is being given; "" for none. */
    wanted({ user_id: key }) {
      const act = this.asking?.act.key === key ? this.asking.act : this.busy[key];
      return act?.body?.role ?? "";
    },

    async link(member) {
      const { name } = member;
      const answer = await this.act(this.words.link(member));
      if (!answer) return;
      this.showLink("member-link-shown", answer, "member.link.shown", { name });
    },

    async invite({ name, role }) {
      const failed = text(this.texts, "invite.failed", { name });
      const answer = await this.act({ key: "invite", path: "/invitations", body: { name, role }, failed });
      if (!answer) return;
      this.inviting = false;
      this.showLink("invite-link", answer, "invite.shown", { name, role: this.texts[`role.${role}`] });
    },

    leaveInvite() {
      this.inviting = false;
      delete this.problems.invite;
    },

    /** @param {string} key texts of the dialog: `….heading` and `….before` */
    showLink(name, { url, expires_at: expires }, key, values) {
      const say = (/** @type {string} */ key, more = {}) => text(this.texts, key, { ...values, ...more });
      this.secret = {
        name,
        heading: say(`${key}.heading`),
        before: [say(`${key}.before`)],
        secret: url,
        after: [say("secret.link", { time: dateMinute(expires) })],
      };
    },
  },
};
