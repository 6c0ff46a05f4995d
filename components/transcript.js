/**
 * The transcript of one call, as it unfolds: draws `TranscriptItems`, follows the newest entry until the reader scrolls up,
 * and moves nothing under a finger. It has no connection of its own: the drawer calls `reset`, `put`, `remove` and `older`
 * with what the call's socket says.
 */

import { icons } from "./icons.js";
import { text } from "./format.js";
import { ENTRY_TEMPLATE, entryMethods, ROLES } from "./transcript_entries.js";
import { TranscriptItems } from "./transcript_items.js";

/** This close to the end counts as being there. */
const NEAR_PX = 24;
/** This close to an end of what is drawn, more is fetched. */
const AHEAD_PX = 600;
/** A scroll this soon after a wheel, a key or a finger is the reader's, whatever else changes meanwhile. */
const GESTURE_MS = 1_000;
/** Frames after which what was drawn has its real heights. */
const FRAMES_TO_REST = 3;
const ANNOUNCED_FOR_MS = 5_000;

export const Transcript = {
  props: {
    texts: { type: Object, required: true },
    over: Boolean,
  },
  emits: ["older"],
  data: () => ({
    version: 0,
    opened: {},
    loaded: false,
    hasOlder: false,
    asking: false,
    following: true,
    unseen: 0,
    announced: [],
    icons,
  }),
  computed: {
    shown() {
      return this.version >= 0 && this.model.shown();
    },
  },
  created() {
    this.model = new TranscriptItems();
    this.held = false;
    this.heldEntry = null;
    this.lastTop = 0;
    this.lastHeight = 0;
    this.gestureAt = -Infinity;
  },
  mounted() {
    const { offsetWidth, clientWidth } = this.$refs.scroller; // its bar takes room or not; what is said stands in line either way
    this.$refs.content.style.setProperty("--scrollbar", `${offsetWidth - clientWidth}px`);
    this.sizes = new ResizeObserver(() => this.settle());
    this.sizes.observe(this.$refs.scroller);
    this.sizes.observe(this.$refs.content);
    window.addEventListener("mouseup", this.release);
  },
  unmounted() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.announceTimer);
    window.removeEventListener("mouseup", this.release);
  },
  methods: {
    ...entryMethods,

    // --- what the call's socket says --------------------------------------------------------------------------------

    /** The newest entries: the first ones, or after a gap; the reader's place is kept if nothing is missing in between. */
    reset(items, older) {
      const known = items.filter((item) => ROLES.has(item.role));
      this.change(() => {
        const kept = this.model.refresh(known, older);
        this.hasOlder = kept ? this.hasOlder : older;
        this.asking = false;
        this.loaded = true;
      });
    },

    put(items) {
      const known = items.filter((item) => ROLES.has(item.role));
      this.change(() => {
        const news = this.model.put(known);
        if (!this.following) this.unseen += news.length;
        this.announce(news);
      });
    },

    remove(ids) {
      this.change(() => this.model.remove(ids));
    },

    older(items, older) {
      const known = items.filter((item) => ROLES.has(item.role));
      this.change(() => {
        this.model.put(known);
        this.model.showEarlier();
        this.hasOlder = older;
        this.asking = false;
      });
    },

    /** The connection is gone, and with it whatever was asked. */
    forgetQuestions() {
      this.asking = false;
    },

    // --- what is drawn, and where the reader is ---------------------------------------------------------------------

    /** Change what is drawn. At the end one stays at the end; elsewhere, or with a finger down, what one sees stays. */
    change(mutate) {
      const anchor = this.resting() ? null : this.anchor();
      mutate();
      if (anchor ? this.model.trim() : this.model.follow()) this.hasOlder = true;
      this.version += 1;
      this.$nextTick(() => (anchor ? this.restore(anchor) : this.settle()));
    },

    resting() {
      return this.following && !this.held;
    },

    /** To the end, and there again in the frames that follow: heights are known only once entries have been drawn, and the
     * observer is silent when they come back to what it saw last. */
    settle(frames = FRAMES_TO_REST) {
      const scroller = this.$refs.scroller;
      if (!scroller || !this.resting()) return;
      const below = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
      if (below >= 1) scroller.scrollTop = scroller.scrollHeight;
      this.remember(scroller);
      const left = below >= 1 ? FRAMES_TO_REST : frames - 1;
      cancelAnimationFrame(this.frame);
      if (left > 0) this.frame = requestAnimationFrame(() => this.settle(left));
    },

    remember({ scrollTop, scrollHeight }) {
      this.lastTop = scrollTop;
      this.lastHeight = scrollHeight;
    },

    /** The entry under the finger, or else the first in sight, and where it is. */
    anchor() {
      const scroller = this.$refs.scroller;
      if (!scroller) return null;
      const entry = this.heldEntry?.isConnected ? this.heldEntry : this.firstInSight(scroller);
      return entry ? { entry, top: entry.getBoundingClientRect().top } : null;
    },

    firstInSight(scroller) {
      const top = scroller.getBoundingClientRect().top;
      const entries = this.$refs.content.querySelectorAll(":scope > .entry");
      let [low, high] = [0, entries.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (entries[middle].getBoundingClientRect().bottom <= top) low = middle + 1;
        else high = middle;
      }
      return entries[low] ?? null;
    },

    restore({ entry, top }) {
      const scroller = this.$refs.scroller;
      if (!scroller || !entry.isConnected) return;
      const moved = entry.getBoundingClientRect().top - top;
      if (Math.abs(moved) >= 0.5) scroller.scrollTop += moved;
      this.remember(scroller);
    },

    onScroll() {
      const { scrollTop, scrollHeight, clientHeight } = this.$refs.scroller;
      const below = scrollHeight - clientHeight - scrollTop;
      if (below <= NEAR_PX && this.model.atEnd) this.setFollowing(true);
      else if (scrollTop < this.lastTop - 1 && this.byReader(scrollHeight)) this.setFollowing(false);
      this.remember(this.$refs.scroller);
      if (this.following) return;
      if (scrollTop < AHEAD_PX) this.wantEarlier();
      if (below < AHEAD_PX && !this.model.atEnd) this.change(() => this.model.showLater());
    },

    /** The browser scrolls, too, as heights change above; a search in the page scrolls without any gesture. */
    byReader(scrollHeight) {
      return scrollHeight === this.lastHeight || performance.now() - this.gestureAt < GESTURE_MS;
    },

    gesture() {
      this.gestureAt = performance.now();
    },

    setFollowing(following) {
      if (following === this.following) return;
      this.following = following;
      this.unseen = 0;
    },

    wantEarlier() {
      if (!this.model.atStart) this.change(() => this.model.showEarlier());
      else if (this.hasOlder && !this.asking && !this.model.full) {
        this.asking = true;
        this.$emit("older", this.model.firstKey);
      }
    },

    jump() {
      this.setFollowing(true);
      this.change(() => {});
      this.$refs.scroller.focus({ preventScroll: true });
    },

    hold(event) {
      this.gesture();
      this.held = true;
      this.heldEntry = event.target.closest?.(".entry") ?? null;
    },

    release(event) {
      if (!this.held || event.touches?.length) return;
      this.held = false;
      this.heldEntry = null;
      if (this.following) this.change(() => {});
    },

    /** A card opens downwards: it stays where it was touched, even if that leaves the newest entry below. */
    onClick(event) {
      const line = event.target.closest?.("summary");
      if (!line) return;
      event.preventDefault();
      const { id } = line.closest(".entry").dataset;
      const anchor = { entry: line, top: line.getBoundingClientRect().top };
      this.setFollowing(false);
      this.opened[id] = !this.opened[id];
      this.$nextTick(() => {
        this.restore(anchor);
        this.onScroll();
      });
    },

    /** The browser itself opens a card in which it has found what one searches for. */
    onToggle(event) {
      const { id } = event.target.closest(".entry").dataset;
      this.opened[id] = event.target.open;
    },

    // --- for screen readers -----------------------------------------------------------------------------------------

    /** Final turns are said, politely; what is only being spoken is not, and neither is what one has asked for. */
    announce(news) {
      const turns = news.filter((item) => item.role === "agent" || item.role === "user");
      if (!turns.length) return;
      this.announced = [...this.announced, ...turns].slice(-3);
      clearTimeout(this.announceTimer);
      this.announceTimer = setTimeout(() => (this.announced = []), ANNOUNCED_FOR_MS);
    },

    jumpWords() {
      return this.unseen ? text(this.texts, "transcript.jumpUnseen", { n: this.unseen }) : this.texts["transcript.jump"];
    },
  },
  template: `
    <section class="transcript">
      <div ref="scroller" class="transcript-scroller" data-testid="transcript" tabindex="0" role="region"
           :aria-label="texts['transcript.label']" :aria-busy="!loaded" @scroll.passive="onScroll" @click="onClick"
           @toggle.capture="onToggle" @mousedown="hold" @touchstart.passive="hold" @touchend.passive="release"
           @touchcancel.passive="release" @touchmove.passive="gesture" @wheel.passive="gesture" @keydown="gesture">
        <div ref="content" class="transcript-content">
          <p v-if="loaded && model.full && hasOlder && model.atStart" class="transcript-edge">{{ texts["transcript.full"] }}</p>
          <div v-for="item in shown" :key="item.id" v-memo="[item, opened[item.id], over, texts]" class="entry" :data-id="item.id"
               :data-kind="item.role">
            ${ENTRY_TEMPLATE}
          </div>
          <div v-if="!loaded" class="transcript-loading" data-testid="transcript-loading" role="status">
            <span class="lm-quiet">{{ texts["transcript.loading"] }}</span>
            <i></i><i></i><i></i>
          </div>
          <div v-else-if="!shown.length" class="transcript-empty" data-testid="transcript-empty">
            <strong>{{ texts[over ? "transcript.none" : "transcript.empty"] }}</strong>
            <p v-if="!over">{{ texts["transcript.emptyHint"] }}</p>
          </div>
        </div>
      </div>
      <p v-if="asking" class="transcript-asking" role="status">{{ texts["transcript.loadingOlder"] }}</p>
      <button v-if="!following" type="button" class="transcript-jump lm-button" data-testid="jump-to-latest" @click="jump">
        <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.arrowDown"/></svg>{{ jumpWords() }}
      </button>
      <div class="lm-quiet" aria-live="polite" data-testid="transcript-announcer">
        <p v-for="item in announced" :key="item.id">{{ speaker(item) }}: {{ item.content }}</p>
      </div>
    </section>`,
};
