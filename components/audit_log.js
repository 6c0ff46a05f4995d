// The audit log: what was done, by whom, to which call, when and from where. Newest first, a page at a time, with filters.

import { AuditPages, UNREACHABLE, exportPath } from "/assets/audit_pages.js";
import { auditWords } from "/assets/audit_words.js";
import { dateTime } from "/assets/format.js";

/** How long one may go on typing before the log is asked. */
const TYPING_MS = 300;

const nothing = () => ({ person: "", action: "", call: "", since: "", until: "" });

export default {
  props: { texts: Object, actions: Array },

  template: `
<div class="audit" data-testid="audit-log" :aria-busy="String(pages.loading)">
  <div class="audit-top">
    <h1>{{ texts["audit.title"] }}</h1>
    <div class="audit-tools">
      <button type="button" class="lm-button" data-testid="audit-reload" :disabled="pages.loading" @click="reload">{{ texts["audit.reload"] }}</button>
      <a class="lm-button" data-testid="audit-export" :href="file" download>{{ texts["audit.export"] }}</a>
    </div>
  </div>
  <form class="audit-filters" role="search" :aria-label="texts['audit.filters']" @submit.prevent="reload">
    <label><span>{{ texts["audit.person"] }}</span>
      <input v-model="wanted.person" type="search" maxlength="200" autocomplete="off" data-testid="audit-person" @input="typed" /></label>
    <label><span>{{ texts["audit.action"] }}</span>
      <select v-model="wanted.action" data-testid="audit-action" @change="reload">
        <option value="">{{ texts["audit.action.all"] }}</option>
        <option v-for="action in actions" :key="action" :value="action">{{ words.action({ action }) }}</option>
      </select></label>
    <label><span>{{ texts["audit.call"] }}</span>
      <input v-model="wanted.call" type="search" maxlength="200" autocomplete="off" data-testid="audit-call" @input="typed" /></label>
    <label class="is-time"><span>{{ texts["audit.since"] }}</span>
      <input v-model="wanted.since" type="datetime-local" data-testid="audit-since" @change="reload" /></label>
    <label class="is-time"><span>{{ texts["audit.until"] }}</span>
      <input v-model="wanted.until" type="datetime-local" data-testid="audit-until" @change="reload" /></label>
    <button type="button" class="lm-button" data-testid="audit-clear" :disabled="!filtered" @click="clear">{{ texts["audit.clear"] }}</button>
  </form>
  <div v-if="pages.error" class="lm-notice" role="alert" data-testid="audit-error">
    <strong>{{ texts["audit.failed"] }}</strong><span>{{ error }}</span>
  </div>
  <div class="audit-scroll" tabindex="0" role="region" :aria-label="texts['audit.title']" ref="scroll">
    <table role="table" :aria-label="texts['audit.title']">
      <thead role="rowgroup"><tr role="row">
        <th v-for="column in columns" :key="column" role="columnheader" scope="col">{{ texts["audit.column." + column] }}</th>
      </tr></thead>
      <tbody role="rowgroup">
        <tr v-for="entry in pages.entries" :key="entry.seq" role="row" data-testid="audit-entry" :data-seq="entry.seq" :data-action="entry.action" :data-outcome="entry.outcome">
          <td role="cell" class="audit-time lm-number"><time :datetime="new Date(entry.at).toISOString()">{{ time(entry.at) }}</time></td>
          <td role="cell" class="audit-person">{{ words.person(entry) }}</td>
          <td role="cell" class="audit-what">{{ words.action(entry) }}</td>
          <td role="cell" class="audit-outcome"><span class="lm-chip" :class="words.tone(entry)"><span>{{ words.outcome(entry) }}</span></span></td>
          <td role="cell" class="audit-call lm-mono" :class="{ 'is-none': !entry.call_id }"><span class="audit-label">{{ texts["audit.column.call"] }}</span>{{ entry.call_id || "–" }}</td>
          <td role="cell" class="audit-details" :class="{ 'is-none': !words.details(entry) }">{{ words.details(entry) || "–" }}</td>
          <td role="cell" class="audit-address lm-mono" :class="{ 'is-none': !entry.address }"><span class="audit-label">{{ texts["audit.column.address"] }}</span>{{ entry.address || "–" }}</td>
        </tr>
      </tbody>
    </table>
    <p v-if="empty" class="audit-empty" data-testid="audit-empty">{{ texts[filtered ? "audit.none" : "audit.empty"] }}</p>
  </div>
  <nav class="audit-pages" :aria-label="texts['audit.pages']">
    <button type="button" class="lm-button" data-testid="audit-newer" :disabled="pages.loading || !pages.hasNewer" @click="turn(() => pages.newer())">{{ texts["audit.newer"] }}</button>
    <p role="status" data-testid="audit-shown">{{ shown }}</p>
    <button type="button" class="lm-button" data-testid="audit-older" :disabled="pages.loading || !pages.hasOlder" @click="turn(() => pages.older())">{{ texts["audit.older"] }}</button>
  </nav>
</div>`,

  data() {
    return { pages: new AuditPages(), wanted: nothing() };
  },

  computed: {
    filtered() {
      return Object.values(this.wanted).some(Boolean);
    },

    empty() {
      return this.pages.loaded && !this.pages.entries.length && !this.pages.error;
    },

    file() {
      return exportPath(this.wanted);
    },

    error() {
      return this.pages.error === UNREACHABLE ? this.texts["audit.unreachable"] : this.pages.error;
    },

    shown() {
      return this.words.shown(this.pages.entries);
    },
  },

  created() {
    this.words = auditWords(this.texts);
    this.columns = ["time", "person", "action", "outcome", "call", "details", "address"];
    this.time = dateTime;
  },

  mounted() {
    this.reload();
  },

  unmounted() {
    clearTimeout(this.typing);
    this.pages.close();
  },

  methods: {
    typed() {
      clearTimeout(this.typing);
      this.typing = setTimeout(this.reload, TYPING_MS);
    },

    reload() {
      clearTimeout(this.typing);
      this.turn(() => this.pages.search(this.wanted));
    },

    clear() {
      this.wanted = nothing();
      this.reload();
    },

    /** @param {() => Promise<void>} load */
    async turn(load) {
      await load();
      this.$refs.scroll?.scrollTo(0, 0);
    },
  },
};
