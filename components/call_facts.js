/** What is known about a call besides what is said in it: from whom to whom, which agent, who else is there, its metadata. */

import { agentName, names } from "./call_words.js";
import { clockTime, dateTime, text, typeName } from "./format.js";
import { icons } from "./icons.js";
import { pretty } from "./transcript_entries.js";

const COPIED_FOR_MS = 2_000;

export const CallFacts = {
  props: {
    call: { type: Object, required: true },
    news: { type: Object, required: true },
    texts: { type: Object, required: true },
    userId: { type: String, default: "" },
  },
  data: () => ({ copied: false, icons }),
  computed: {
    /** @returns {{name: string, label: string, value: string, title?: string}[]} */
    facts() {
      const { call, news } = this;
      const started = call.start_timestamp;
      return [
        this.fact("type", typeName(this.texts, call.call_type, call.direction)),
        this.fact("from", call.from_number),
        this.fact("to", call.to_number),
        this.fact("agent", agentName(call)),
        { ...this.fact("started", clockTime(started)), title: dateTime(started) },
        this.fact("holder", news.controller && this.held(news.controller)),
        this.fact("listeners", names(this.texts, news.listeners ?? [], this.userId)),
      ].filter((fact) => fact.value);
    },
    metadata() {
      const entries = Object.entries(this.call.metadata ?? {});
      return entries.map(([key, value]) => ({ key, value: typeof value === "string" ? value : pretty(value) }));
    },
  },
  unmounted() {
    clearTimeout(this.timer);
  },
  methods: {
    fact(name, value) {
      return { name, label: this.texts[`fact.${name}`], value: value ?? "" };
    },

    held(controller) {
      const name = names(this.texts, [controller], this.userId);
      return text(this.texts, "fact.heldSince", { name, time: clockTime(controller.since) });
    },

    async copy() {
      try {
        await navigator.clipboard.writeText(this.call.call_id);
      } catch {
        getSelection()?.selectAllChildren(this.$refs.id); // no clipboard here: at least it is selected
        return;
      }
      this.copied = true;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => (this.copied = false), COPIED_FOR_MS);
    },
  },
  template: `
    <dl class="facts" data-testid="call-facts">
      <div v-for="fact in facts" :key="fact.name" :data-fact="fact.name">
        <dt>{{ fact.label }}</dt><dd dir="auto" :title="fact.title">{{ fact.value }}</dd>
      </div>
    </dl>
    <div class="facts-more">
      <button type="button" class="facts-id" :title="texts['fact.copy']" @click="copy">
        <span class="lm-quiet">{{ texts["fact.id"] }}</span>
        <span ref="id" class="lm-mono" data-testid="drawer-call-id">{{ call.call_id }}</span>
        <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="copied ? icons.check : icons.copy"/></svg>
        <span class="lm-quiet" role="status">{{ copied ? texts["copied"] : "" }}</span>
      </button>
      <details v-if="metadata.length" class="metadata" data-testid="call-metadata">
        <summary>{{ texts["fact.metadata"] }} <span class="lm-number">{{ metadata.length }}</span>
          <svg class="lm-icon event-chevron" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.chevronDown"/></svg></summary>
        <dl tabindex="0" :aria-label="texts['fact.metadata']" @keydown.up.stop @keydown.down.stop @keydown.home.stop @keydown.end.stop>
          <template v-for="entry in metadata" :key="entry.key"><dt dir="auto">{{ entry.key }}</dt><dd dir="auto">{{ entry.value }}</dd></template>
        </dl>
      </details>
    </div>`,
};
