// The live list: every ongoing call of the workspace, as it happens, from the socket /feed/calls.
// Only the rows in sight are in the DOM. It emits `open` (call_id, by: "key" | "pointer") and opens nothing by itself.

import { CallRows, columns, filters } from "/assets/call_rows.js";
import { rowCells } from "/assets/call_row.js";
import { ServerClock } from "/assets/clock.js";
import { clockTime, plural, text } from "/assets/format.js";
import { heldCall } from "/assets/held_call.js";
import { icons } from "/assets/icons.js";
import { hasOwnArrows, modalOpen } from "/assets/keyboard.js";
import { keepOrder, keptOrder } from "/assets/list_order.js";
import { PendingCalls } from "/assets/pending_calls.js";
import { LiveSocket } from "/assets/socket.js";

const ROW_PX = 52;
const COMPACT_ROW_PX = 84;
const COMPACT_BELOW_PX = 560;
const OVERSCAN = 8;
const NEW_MS = 2_000;
const STALE_AFTER_MS = 1_000; // a connection that is back at once is not worth a word in the list
const ANNOUNCE_MS = 5_000;
const OPEN_REPEAT_MS = 150; // a key that is held down opens where it comes to rest, not each call it passes
const RELOAD_KEY = "livemon:refused";

export default {
  props: { texts: Object, open_id: String, pinned: Boolean, active: Boolean, may_connect: Boolean },
  emits: ["open"],

  template: `
<section class="call-list" data-testid="call-list" :class="{ 'is-compact': compact }" :data-state="state" :style="{ '--time-chars': timeChars }">
  <div class="call-list-top">
    <div class="call-list-title">
      <h1>{{ texts["live.title"] }}</h1>
      <p class="lm-number" data-testid="call-list-summary">{{ summary }}</p>
      <p v-if="masked" class="call-list-masked" data-testid="masked-note">{{ texts["masked.note"] }}</p>
    </div>
    <div class="call-list-tools">
      <div class="call-search">
        <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.search" /></svg>
        <input ref="search" type="search" data-testid="call-search" :value="query" @input="search($event.target.value)"
          :placeholder="texts['list.search.short']" :aria-label="texts['list.search']" autocomplete="off" autocapitalize="off"
          spellcheck="false" enterkeyhint="search" aria-keyshortcuts="/" @keydown.enter.prevent="leaveSearch" @keydown.esc.stop.prevent="escapeSearch" />
        <kbd v-if="!query" aria-hidden="true">/</kbd>
        <button v-else type="button" :aria-label="texts['list.search.clear']" @click="clearSearch">
          <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.close" /></svg>
        </button>
      </div>
      <div class="call-filters" role="group" :aria-label="texts['list.filter']">
        <button v-for="name in filters" :key="name" type="button" class="call-filter" :data-testid="'filter-' + name"
          :aria-pressed="String(filter === name)" @click="show(name)">
          {{ texts["filter." + name] }} <span class="lm-number">{{ state === "loading" ? "" : view.counts[name] }}</span>
        </button>
      </div>
    </div>
  </div>
  <div class="call-table">
    <div v-show="state !== 'empty' && state !== 'refused'" ref="grid" class="call-grid" role="grid" tabindex="0" :aria-label="texts['list.label']"
      :aria-rowcount="view.total + 1" :aria-colcount="columns.length" :aria-activedescendant="activeRow" :aria-busy="String(state === 'loading')">
      <div ref="scroll" class="call-scroll" :class="{ 'is-stale': stale }" role="presentation" @scroll.passive="scrolled" @pointerdown="press" @touchstart.passive="touch">
        <div ref="head" class="call-head call-line" role="row" aria-rowindex="1">
          <div v-for="name in columns" :key="name" role="columnheader" :class="'is-' + name" :aria-sort="ariaSort(name)">
            <button type="button" :data-testid="'sort-' + name" @click="sortBy(name)">
              {{ texts["column." + name] }}
              <svg v-if="sort.column === name" class="lm-icon" viewBox="0 0 24 24" aria-hidden="true">
                <path :d="sort.descending ? icons.arrowDown : icons.arrowUp" />
              </svg>
            </button>
          </div>
        </div>
        <div class="call-space" role="rowgroup" :style="{ height: view.total * rowPx + 'px' }">
          <div v-for="row in view.rows" :key="row.id" v-memo="[row.memo]" class="call-row call-line" role="row" data-testid="call-row"
            :id="'call-row-' + row.id" :data-call-id="row.id" :data-new="row.isNew ? 'true' : null" :aria-rowindex="row.index + 2"
            :aria-selected="String(row.selected)" :style="{ transform: 'translateY(' + row.index * rowPx + 'px)' }" @click="clicked($event, row.id)">
            <div role="gridcell" class="is-time lm-number" :title="row.started">{{ row.time }}</div>
            <div role="gridcell" class="is-duration lm-number" data-testid="call-duration">{{ row.duration }}</div>
            <div role="gridcell" class="is-type">
              <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons[row.icon]" /></svg>{{ row.type }}
            </div>
            <div role="gridcell" class="is-id lm-mono" :title="row.id">{{ row.id }}</div>
            <div role="gridcell" class="is-agent" :title="row.agent">{{ row.agent }}</div>
            <div role="gridcell" class="is-party lm-number" :title="row.partyTitle">{{ row.party }}</div>
            <div role="gridcell" class="is-state">
              <span class="lm-chip" :class="row.chipClass" :title="row.chipTitle" data-testid="call-state"><span>{{ row.chip }}</span></span>
            </div>
          </div>
        </div>
        <div v-if="state === 'loading'" class="call-skeleton" aria-hidden="true"><i v-for="n in 8" :key="n"></i></div>
      </div>
    </div>
    <div v-if="state === 'none'" class="call-message" data-testid="call-list-none">
      <h2>{{ texts["list.none.title"] }}</h2>
      <p>{{ say("list.none.text", { n: view.counts.all }) }}</p>
      <button type="button" class="lm-button" @click="showAll">{{ texts["list.none.reset"] }}</button>
    </div>
    <div v-else-if="state === 'empty'" class="call-message is-whole" data-testid="call-list-empty">
      <h2>{{ texts["empty.title"] }}</h2>
      <p>{{ texts["empty.text"] }} {{ texts[may_connect ? "empty.connect.text" : "empty.ask"] }}</p>
      <a v-if="may_connect" class="lm-button is-primary" :href="connectPage" data-testid="empty-connect">{{ texts["empty.connect"] }}</a>
    </div>
    <div v-else-if="state === 'refused'" class="call-message is-whole" data-testid="call-list-refused">
      <h2>{{ texts["list.refused"] }}</h2>
      <p>{{ texts["list.refused.text"] }}</p>
    </div>
    <p v-if="stale" class="call-stale" role="status" data-testid="call-list-stale">
      <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.warning" /></svg>
      <span><strong>{{ say("list.stale", { time: stale.time }) }}</strong> {{ texts["list.stale." + stale.state] }}</span>
    </p>
  </div>
  <p class="lm-quiet" aria-live="polite" data-testid="call-list-announcer">{{ announcement }}</p>
</section>`,

  data() {
    return {
      version: 0, // of `calls`, which Vue does not look into
      second: 0,
      selectedId: null,
      filter: "all",
      query: "",
      sort: { column: "time", descending: true },
      scrollTop: 0,
      height: 600,
      compact: false,
      loaded: false,
      masked: false,
      refused: false,
      link: { state: "connecting", since: Date.now() },
      feed: { state: "live", since: null },
      staleShown: false,
      announcement: "",
    };
  },

  computed: {
    rowPx() {
      return this.compact ? COMPACT_ROW_PX : ROW_PX;
    },

    /** What is in sight: the rows to draw, and the numbers around them. */
    view() {
      void this.version, this.second;
      const { shown, all, counts } = this.calls;
      const first = Math.max(0, Math.floor(this.scrollTop / this.rowPx) - OVERSCAN);
      const last = Math.min(shown.length, Math.ceil((this.scrollTop + this.height) / this.rowPx) + OVERSCAN);
      const now = this.clock.now();
      const rows = [];
      for (let index = first; index < last; index += 1) {
        const row = all.get(shown[index]);
        const state = { index, selected: row.id === this.selectedId, isNew: this.fresh.has(row.id), rowPx: this.rowPx };
        rows.push(rowCells(row, this.texts, now, state));
      }
      return { rows, total: shown.length, counts: { ...counts } };
    },

    state() {
      if (this.refused) return "refused";
      if (!this.loaded) return "loading";
      if (!this.view.counts.all) return "empty";
      return this.view.total ? "rows" : "none";
    },

    summary() {
      if (!this.loaded) return this.texts["list.loading"];
      const { all, takenOver, listened } = this.view.counts;
      const filtered = this.filter !== "all" || this.query.trim();
      const parts = [filtered ? this.say("list.shown", { shown: this.view.total, n: all }) : plural(this.texts, "list.calls", all)];
      if (takenOver) parts.push(this.say("list.taken_over", { n: takenOver }));
      if (listened) parts.push(this.say("list.listened", { n: listened }));
      return parts.join(" · ");
    },

    /** What the whole page is told: the link's state, or that Redis is away though the link is well. */
    connection() {
      if (this.link.state === "live" && this.feed.state === "stale") return { state: "stale", since: this.clock.toLocal(this.feed.since) };
      return { state: this.link.state, since: this.link.since };
    },

    stale() {
      const { state, since } = this.connection;
      if (!this.loaded || !this.staleShown || !["reconnecting", "offline", "stale"].includes(state)) return null;
      return { state, time: clockTime(since) };
    },

    activeRow() {
      return this.view.rows.some((row) => row.selected) ? `call-row-${this.selectedId}` : null;
    },
  },

  watch: {
    open_id(id, before) {
      if (id && id !== this.selectedId) this.select(id);
      if (!id && before) this.$refs.grid.focus({ preventScroll: true });
    },

    connection({ state, since }, before) {
      if (state === before.state && since === before.since) return;
      window.dispatchEvent(new CustomEvent("livemon:connection", { detail: { state, since } }));
      clearTimeout(this.staleTimer);
      if (state === "live") this.staleShown = false;
      else this.staleTimer = setTimeout(() => (this.staleShown = true), STALE_AFTER_MS);
    },
  },

  created() {
    Object.assign(this, { icons, columns, filters, timeChars: clockTime(new Date(2000, 11, 30, 22, 58, 58)).length });
    this.connectPage = `${window.path_prefix ?? ""}/connect`;
    this.calls = Vue.markRaw(new CallRows(this.texts));
    const order = keptOrder();
    if (order) {
      Object.assign(this, order);
      this.calls.order(order);
    }
    this.pending = Vue.markRaw(new PendingCalls());
    this.clock = Vue.markRaw(new ServerClock());
    this.fresh = new Map(); // id -> the timer that ends its being new
    this.tally = { started: 0, ended: 0, unheard: 0, selectedGone: false };
    this.pressed = new Set(); // pointers that are down on the rows
    this.pressedId = null;
    this.seq = 0;
    this.selectedId = this.open_id ?? null;
  },

  mounted() {
    this.socket = new LiveSocket("/feed/calls", { message: (message) => this.receive(message), state: this.linked });
    this.release = new AbortController();
    const on = { signal: this.release.signal };
    window.addEventListener("keydown", this.key, on);
    for (const type of ["pointerup", "pointercancel"]) window.addEventListener(type, this.lift, on);
    for (const type of ["touchend", "touchcancel"]) window.addEventListener(type, this.untouch, on);
    window.addEventListener("blur", this.liftAll, on);
    document.addEventListener("visibilitychange", this.reschedule, on);
    this.resizes = new ResizeObserver(this.measure);
    this.resizes.observe(this.$el);
    this.resizes.observe(this.$refs.scroll);
    this.measure();
    this.tick();
    this.socket.open();
  },

  unmounted() {
    this.socket.close();
    this.release.abort();
    this.resizes.disconnect();
    this.unschedule();
    for (const timer of [this.staleTimer, this.tickTimer, this.announceTimer, this.openTimer]) clearTimeout(timer);
    for (const timer of this.fresh.values()) clearTimeout(timer);
  },

  methods: {
    say(key, values) {
      return text(this.texts, key, values);
    },

    // ---- what the server says

    linked(state, since, code) {
      this.link = { state, since };
      if (state === "refused") this.refuse(code);
    },

    /** The session or the role is gone: the server says what comes now, once; a page that is refused again says so itself. */
    refuse(code) {
      this.refused = true;
      this.pending.replace([]); // what stands here is not this person's to see any more
      this.schedule();
      const last = Number(sessionStorage.getItem(RELOAD_KEY) ?? 0);
      if (Date.now() - last < 10_000) return;
      sessionStorage.setItem(RELOAD_KEY, String(Date.now()));
      console.info(`livemon: the list was refused (${code}); loading the page anew`);
      heldCall.whenFree(() => window.livemonLeaves || location.reload());
    },

    receive(message) {
      if (message.now) this.clock.sync(message.now);
      if (message.t === "snapshot") {
        this.seq = message.seq;
        this.feed = message.feed;
        this.masked = message.masked === true;
        this.pending.replace(message.calls);
        this.schedule();
      } else if (message.t === "diff") {
        if (message.seq !== this.seq + 1) return this.socket.restart();
        this.seq = message.seq;
        this.pending.change(message.put, message.new, message.drop);
        this.schedule();
      } else if (message.t === "feed") {
        this.feed = { state: message.state, since: message.since };
      }
    },

    /** Draws once a frame, however many messages came; not at all under a finger. */
    schedule() {
      if (this.frame || this.frameTimer || this.pressed.size) return;
      // A hidden page has no frames, but its messages must not pile up.
      if (document.hidden) this.frameTimer = setTimeout(this.apply, 1000);
      else this.frame = requestAnimationFrame(this.apply);
    },

    /** A frame that was asked for does not come any more once the page is hidden, nor need a timer be waited for after it. */
    reschedule() {
      this.unschedule();
      if (!this.pending.empty) this.schedule();
    },

    unschedule() {
      clearTimeout(this.frameTimer);
      cancelAnimationFrame(this.frame);
      this.frame = this.frameTimer = 0;
    },

    apply() {
      this.unschedule();
      if (this.pressed.size || this.pending.empty) return;
      const before = this.calls.shown.slice();
      const selectedAt = this.calls.indexOf(this.selectedId);
      const alone = new Set(this.calls.unheard);
      const { started, ended } = this.pending.applyTo(this.calls);
      this.loaded = true;
      for (const id of started) this.markNew(id);
      for (const id of ended) this.unmarkNew(id);
      if (selectedAt >= 0 && !this.calls.all.has(this.selectedId)) this.handOver(before, selectedAt);
      this.keepPlace(before);
      this.version += 1;
      this.announce(started.length, ended.length, [...this.calls.unheard].filter((id) => !alone.has(id)).length);
    },

    markNew(id) {
      clearTimeout(this.fresh.get(id));
      this.fresh.set(id, setTimeout(() => (this.unmarkNew(id), (this.version += 1)), NEW_MS));
    },

    unmarkNew(id) {
      clearTimeout(this.fresh.get(id));
      this.fresh.delete(id);
    },

    /** The selected call is over: the one below it has the selection now, or else the one above. */
    handOver(before, at) {
      const heirs = [...before.slice(at + 1), ...before.slice(0, at).reverse()];
      this.selectedId = heirs.find((id) => this.calls.all.has(id)) ?? null;
      this.tally.selectedGone = true;
    },

    /** Scrolled down, the first row in sight stays where it is, whatever came above it. */
    keepPlace(before) {
      const scroll = this.$refs.scroll;
      if (!scroll || scroll.scrollTop < 1) return;
      const at = Math.floor(scroll.scrollTop / this.rowPx);
      const anchor = before.slice(at).find((id) => this.calls.all.has(id));
      const index = anchor ? this.calls.indexOf(anchor) : -1;
      const shift = index < 0 ? 0 : (index - before.indexOf(anchor)) * this.rowPx;
      if (!shift) return;
      const top = Math.max(0, scroll.scrollTop + shift);
      this.scrollTop = top;
      this.$nextTick(() => (scroll.scrollTop = top));
    },

    announce(started, ended, unheard) {
      this.tally.started += started;
      this.tally.ended += ended;
      this.tally.unheard += unheard;
      if (this.announceTimer || !(this.tally.started + this.tally.ended + this.tally.unheard)) return;
      this.announceTimer = setTimeout(() => {
        const { started, ended, unheard, selectedGone } = this.tally;
        const parts = [];
        if (unheard) parts.push(plural(this.texts, "announce.unheard", unheard));
        if (started) parts.push(plural(this.texts, "announce.new", started));
        if (ended) parts.push(plural(this.texts, "announce.ended", ended));
        if (selectedGone) parts.push(this.texts["announce.gone"]);
        this.announcement = parts.join(". ");
        this.tally = { started: 0, ended: 0, unheard: 0, selectedGone: false };
        this.announceTimer = 0;
      }, ANNOUNCE_MS);
    },

    /** Each second of the server's clock, as near to its turn as a timer gets. */
    tick() {
      this.second += 1;
      this.tickTimer = setTimeout(this.tick, 1000 - (this.clock.now() % 1000) + 5);
    },

    // ---- what the person does

    search(query) {
      this.query = query;
      this.rearrange(() => this.calls.show({ query }));
    },

    show(filter) {
      this.filter = filter;
      this.rearrange(() => this.calls.show({ filter }));
      keepOrder(this.calls);
    },

    showAll() {
      this.query = "";
      this.filter = "all";
      this.rearrange(() => this.calls.show({ filter: "all", query: "" }));
      keepOrder(this.calls);
      this.$refs.search.focus();
    },

    clearSearch() {
      this.search("");
      this.$refs.search.focus();
    },

    escapeSearch() {
      if (this.query) this.search("");
      else this.$refs.search.blur();
    },

    /** Enter in the search: on to what it found. */
    leaveSearch() {
      this.$refs.grid.focus();
      if (this.calls.shown.length && this.calls.indexOf(this.selectedId) < 0) this.select(this.calls.shown[0]);
    },

    sortBy(column) {
      this.rearrange(() => this.calls.sortBy(column));
      this.sort = this.calls.sort;
      keepOrder(this.calls);
    },

    rearrange(how) {
      how();
      this.version += 1;
      this.$refs.scroll.scrollTop = this.scrollTop = 0;
    },

    ariaSort(name) {
      if (this.sort.column !== name) return "none";
      return this.sort.descending ? "descending" : "ascending";
    },

    select(id) {
      this.selectedId = id;
      const index = this.calls.indexOf(id);
      const scroll = this.$refs.scroll;
      if (index < 0 || !scroll) return;
      const top = index * this.rowPx;
      const lowest = top + this.rowPx - this.height;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      else if (lowest > scroll.scrollTop) scroll.scrollTop = lowest;
      this.scrollTop = scroll.scrollTop;
    },

    /** What a finger went down on is what opens, wherever the row is by now. */
    clicked(event, id) {
      const opened = (event.detail && this.pressedId) || id;
      this.pressedId = null;
      this.select(opened);
      this.$refs.grid.focus({ preventScroll: true });
      this.$emit("open", opened, "pointer");
    },

    press(event) {
      if (event.button !== 0) return; // its release may go to the browser's own menu
      this.pressedId = event.target.closest(".call-row")?.dataset.callId ?? null;
      this.pressed.add(event.pointerId);
    },

    touch() {
      this.pressed.add("touch");
    },

    lift(event) {
      this.pressed.delete(event.pointerId);
      this.resume();
    },

    untouch(event) {
      if (event.touches.length) return;
      this.pressed.delete("touch");
      this.resume();
    },

    liftAll() {
      this.pressed.clear();
      this.resume();
    },

    /** The rows may move again, once the click that belongs to the touch is over. */
    resume() {
      if (!this.pressed.size) setTimeout(this.schedule, 0);
    },

    key(event) {
      if (!this.active || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || modalOpen()) return;
      if (event.key === "/" && !hasOwnArrows(event.target)) {
        event.preventDefault();
        this.$refs.search.focus();
        this.$refs.search.select();
      } else if (event.key === "Enter") {
        const here = [document.body, this.$refs.grid].includes(event.target);
        if (here && this.calls.indexOf(this.selectedId) >= 0) this.$emit("open", this.selectedId, "key");
      } else if (["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key) && !event.shiftKey && !hasOwnArrows(event.target)) {
        event.preventDefault();
        this.move(event.key);
      }
    },

    move(key) {
      const { shown } = this.calls;
      if (!shown.length) return;
      const at = this.calls.indexOf(this.selectedId);
      const last = shown.length - 1;
      const to = { ArrowUp: at < 0 ? 0 : Math.max(0, at - 1), ArrowDown: Math.min(last, at + 1), Home: 0, End: last }[key];
      if (shown[to] === this.selectedId) return;
      this.select(shown[to]);
      if (this.open_id && !this.pinned) this.openSoon();
    },

    openSoon() {
      const now = performance.now();
      clearTimeout(this.openTimer);
      const wait = now - (this.movedAt ?? -Infinity) < OPEN_REPEAT_MS ? OPEN_REPEAT_MS : 0;
      this.movedAt = now;
      this.openTimer = setTimeout(() => this.open_id && this.$emit("open", this.selectedId, "key"), wait);
    },

    scrolled() {
      this.scrollTop = this.$refs.scroll.scrollTop;
    },

    measure() {
      this.compact = this.$el.clientWidth < COMPACT_BELOW_PX;
      const { scroll, head } = this.$refs;
      if (scroll.clientHeight) this.height = scroll.clientHeight - head.offsetHeight;
    },
  },
};
