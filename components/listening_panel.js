/**
 * What one hears: how loud each voice is, and a volume and mute for each. Levels go straight into the DOM, a frame at a time.
 * It takes a CallAudio that has been started, and never starts or stops it. Whoever comes in the agent's place gets the agent's
 * row itself, so that the keyboard stays where it is.
 */

import { text } from "./format.js";
import { icons } from "./icons.js";

/** How often a screen reader may find a new value. */
const ARIA_EVERY_MS = 500;

export const ListeningPanel = {
  props: {
    audio: { type: Object, required: true },
    state: { type: String, required: true },
    texts: { type: Object, required: true },
    /** The name of the supervisor who has the call, and is heard in place of the agent; null: the agent has it. */
    supervisor: { type: String, default: null },
  },
  data: () => ({
    volumes: { caller: 100, agent: 100, supervisor: 100 },
    muted: { caller: false, agent: false, supervisor: false },
    icons,
  }),
  computed: {
    voices() {
      return ["caller", this.supervisor === null ? "agent" : "supervisor"];
    },
  },
  mounted() {
    this.spokenAt = 0;
    this.frame = requestAnimationFrame(this.draw);
  },
  unmounted() {
    cancelAnimationFrame(this.frame);
  },
  methods: {
    draw(now) {
      const levels = this.audio.levels();
      const speak = now - this.spokenAt >= ARIA_EVERY_MS;
      if (speak) this.spokenAt = now;
      for (const voice of this.voices) {
        const level = this.state === "listening" ? Math.min(1, Math.max(0, levels[voice] ?? 0)) : 0;
        const meter = this.$refs[voice]?.[0];
        if (!meter) continue;
        meter.firstElementChild.style.transform = `scaleX(${level.toFixed(3)})`;
        if (speak) meter.setAttribute("aria-valuenow", String(Math.round(level * 100)));
      }
      this.frame = requestAnimationFrame(this.draw);
    },

    setVolume(voice, percent) {
      this.volumes[voice] = percent;
      this.audio.setVolume(voice, percent / 100);
      if (this.muted[voice] && percent > 0) this.toggleMute(voice);
    },

    toggleMute(voice) {
      this.muted[voice] = !this.muted[voice];
      this.audio.setMuted(voice, this.muted[voice]);
    },

    name(voice) {
      return voice === "caller" ? this.texts["transcript.caller"] : (this.supervisor ?? this.texts["transcript.agent"]);
    },

    say(key, voice) {
      return text(this.texts, key, { name: this.name(voice) });
    },
  },
  template: `
    <div class="listening" :class="{ 'has-supervisor': supervisor !== null }"
         role="group" :aria-label="texts['listen.label']" :data-state="state">
      <button v-if="state === 'interrupted'" type="button" class="lm-button is-primary listening-resume" data-testid="resume-audio"
              @click="audio.resume()">
        <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.speaker"/></svg>{{ texts["listen.resume"] }}
      </button>
      <p v-else-if="state !== 'listening'" class="listening-state" role="status">{{ texts["listen." + state] }}</p>
      <div v-for="(voice, row) in voices" v-show="state !== 'interrupted'" :key="row" class="listening-voice">
        <span class="listening-name" dir="auto" :title="name(voice)">{{ name(voice) }}</span>
        <div :ref="voice" class="listening-level" role="meter" :data-testid="'level-' + voice" :aria-label="say('listen.level', voice)"
             aria-valuemin="0" aria-valuemax="100" aria-valuenow="0" :class="{ 'is-muted': muted[voice] }"><i></i></div>
        <input type="range" min="0" max="100" step="5" :value="muted[voice] ? 0 : volumes[voice]" :data-testid="'volume-' + voice"
               :aria-label="say('listen.volume', voice)" @input="setVolume(voice, Number($event.target.value))">
        <button type="button" class="lm-button is-plain listening-mute" :data-testid="'mute-' + voice" :aria-pressed="String(muted[voice])"
                :aria-label="say('listen.mute', voice)" :title="say('listen.mute', voice)" @click="toggleMute(voice)">
          <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="muted[voice] ? icons.speakerOff : icons.speaker"/></svg>
        </button>
      </div>
    </div>`,
};
