/**
 * What one hears: how loud each voice is, and a volume and mute for each. Levels go straight into the DOM, a frame at a time.
 * It takes a CallAudio that has been started, and never starts or stops it.
 */

import { text } from "./format.js";
import { icons } from "./icons.js";

const VOICES = ["caller", "agent"];
/** How often a screen reader may find a new value. */
const ARIA_EVERY_MS = 500;

export const ListeningPanel = {
  props: {
    audio: { type: Object, required: true },
    state: { type: String, required: true },
    texts: { type: Object, required: true },
    /** Who is heard besides the caller: the agent, or the supervisor who took over. */
    other: { type: String, required: true },
  },
  data: () => ({ volumes: { caller: 100, agent: 100 }, muted: { caller: false, agent: false }, VOICES, icons }),
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
      for (const voice of VOICES) {
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
      return voice === "caller" ? this.texts["transcript.caller"] : this.other;
    },

    say(key, voice) {
      return text(this.texts, key, { name: this.name(voice) });
    },
  },
  template: `
    <div class="listening" role="group" :aria-label="texts['listen.label']" :data-state="state">
      <button v-if="state === 'interrupted'" type="button" class="lm-button is-primary listening-resume" data-testid="resume-audio"
              @click="audio.resume()">
        <svg class="lm-icon" viewBox="0 0 24 24" aria-hidden="true"><path :d="icons.speaker"/></svg>{{ texts["listen.resume"] }}
      </button>
      <p v-else-if="state !== 'listening'" class="listening-state" role="status">{{ texts["listen." + state] }}</p>
      <div v-for="voice in VOICES" v-show="state !== 'interrupted'" :key="voice" class="listening-voice">
        <span class="listening-name" dir="auto">{{ name(voice) }}</span>
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
