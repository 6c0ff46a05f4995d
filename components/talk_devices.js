/** Chooses the microphone and, where the browser has it, the speaker of the call that one has. Shown where there is a choice. */

const KINDS = { audioinput: "microphone", audiooutput: "speaker" };
/** Chromium lists these beside the devices that they stand for. */
const ALIASES = ["default", "communications"];

export const TalkDevices = {
  props: {
    talk: { type: Object, required: true },
    texts: { type: Object, required: true },
  },
  data: () => ({ devices: { microphone: [], speaker: [] }, chosen: { microphone: "", speaker: "" }, failed: "" }),
  mounted() {
    navigator.mediaDevices.addEventListener("devicechange", this.list);
    this.list();
  },
  unmounted() {
    navigator.mediaDevices.removeEventListener("devicechange", this.list);
  },
  methods: {
    async list() {
      const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
      const devices = { microphone: [], speaker: [] };
      for (const { kind, deviceId, label } of all) {
        const name = KINDS[kind];
        if (!name || !deviceId || ALIASES.includes(deviceId)) continue;
        if (name === "microphone" || "setSinkId" in HTMLMediaElement.prototype) devices[name].push({ deviceId, label });
      }
      this.devices = devices;
      this.chosen.microphone = this.talk.microphone.deviceId;
    },

    async choose(name, deviceId) {
      this.failed = "";
      try {
        await (name === "microphone" ? this.talk.microphone : this.talk.voice).choose(deviceId);
        this.chosen[name] = deviceId;
      } catch {
        this.failed = name;
      }
    },
  },
  template: `
    <div class="talk-devices">
      <template v-for="(list, name) in devices" :key="name">
        <label v-if="list.length > 1">
          <span>{{ texts["talk." + name] }}</span>
          <select :value="chosen[name]" :data-testid="name + '-choice'" @change="choose(name, $event.target.value)">
            <option value="">{{ texts["talk.default"] }}</option>
            <option v-for="device in list" :key="device.deviceId" :value="device.deviceId">{{ device.label }}</option>
          </select>
        </label>
      </template>
      <p v-if="failed" role="alert">{{ texts["talk.failed." + failed] }}</p>
    </div>`,
};
