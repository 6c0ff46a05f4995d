/**
 * The take-over's part of a call's footer: what its button reads, or that it is not there; asking first; and what `heldCall`
 * says of this call. For the component that mixes it in: `call`, `news`, `texts`, `userId`, `may`, `reasons`, `caller`, `title()`.
 */

import { text } from "./format.js";
import { heldCall } from "./held_call.js";
import { rescueRequest } from "./rescue_request.js";
import { canRescue, isJoined, takeOverKey } from "./talk_words.js";

export const TakesOver = {
  data: () => ({
    /** @type {import("./held_call.js").Held | null} the call that this page takes over or has, perhaps another */
    held: heldCall.held,
    takeOverAsked: false,
    /** @type {import("./talk_words.js").Controller} who had the call when it was asked for */
    askedOf: null,
  }),
  computed: {
    /** Whether one is an Admin, who may rescue a call from a supervisor who has lost the role. @this {any} */
    manages() {
      return this.may.includes("manage");
    },
    /** The same, if it is this call. */
    mine() {
      return this.held?.callId === this.call.call_id ? this.held : null;
    },
    elsewhere() {
      return this.held !== null && !this.mine;
    },
    /** @this {any} */
    holding() {
      return isJoined(this.mine);
    },
    /** Somebody else has the call whom the caller does not hear, or, for an Admin, who has lost the role. @this {any} */
    rescue() {
      return canRescue(this.news.controller, this.userId, this.manages);
    },
    /** The button's text, by key; null: it is not offered, since one has the call, or somebody else is heard. @this {any} */
    takeOverLabel() {
      return this.may.includes("take_over") || this.mine ? takeOverKey(this.mine, this.news.controller, this.userId, this.manages) : null;
    },
  },
  watch: {
    /** One hears the caller by now, so listening has done its part. */
    holding(holding) {
      if (holding) this.stopListening();
    },
    "mine.muted"(muted) {
      if (!muted) this.untell("talk");
    },
    /** Somebody else was faster than this person's thoughts, or has been heard again. */
    takeOverLabel() {
      if (this.over) return;
      if (this.takeOverAsked && !this.mine) this.tellMeanwhile(this.news.controller);
      this.takeOverAsked = false;
      this.answerRescue();
    },
  },
  created() {
    this.unwatch = heldCall.watch(() => (this.held = heldCall.held));
    this.unwatchRescue = rescueRequest.watch(this.answerRescue);
  },
  mounted() {
    this.answerRescue();
  },
  beforeUnmount() {
    this.unwatch();
    this.unwatchRescue();
  },
  methods: {
    whyNoTakeOver() {
      if (!window.isSecureContext || !navigator.mediaDevices) return this.texts["footer.insecure"];
      if (!this.call.audio) return this.texts["footer.noAudioToTakeOver"];
      if (!this.call.capabilities.includes("take_over")) return this.texts["footer.cannotTakeOver"];
      return this.elsewhere ? this.texts["footer.onAnotherCall"] : null;
    },

    /** An alert's button has brought one here. */
    answerRescue() {
      if (this.takeOverLabel !== "footer.rescue" || this.reasons.takeOver) return;
      if (rescueRequest.take(this.call.call_id)) this.askTakeOver();
    },

    /** Going on with one's own call asks nothing: nothing is stopped by it. */
    askTakeOver() {
      if (this.news.controller?.user_id === this.userId && this.userId) this.beginTakeOver(true);
      else {
        this.askedOf = this.news.controller;
        this.takeOverAsked = true;
      }
    },

    /** @param {import("./talk_words.js").Controller} controller */
    tellMeanwhile(controller) {
      if (!controller) return;
      const same = controller.user_id === this.askedOf?.user_id;
      const again = this.askedOf?.lost_since ? "heard" : "role";
      const key = `takeOver.meanwhile.${same ? again : controller.user_id === this.userId ? "yours" : "taken"}`;
      const say = (one) => text(this.texts, one, { name: controller.name });
      this.tell({ kind: "talk", tone: "info", title: say(key), text: say(`${key}.hint`) });
    },

    confirmTakeOver() {
      this.takeOverAsked = false;
      this.beginTakeOver(false);
    },

    beginTakeOver(resume) {
      this.untell("talk");
      heldCall.takeOver({ callId: this.call.call_id, title: this.title() }, { resume }, !this.news.controller);
    },

    microphoneFailed(code) {
      this.tell({ kind: "talk", tone: "danger", title: this.texts["talk.stillMuted"], text: this.texts[`takeOver.microphone.${code}`] });
    },

    takeOverIsSeen() {
      this.takeOverAsked = false;
      heldCall.over(this.call.call_id);
    },

    takeOverBody() {
      const name = this.news.controller?.name ?? "";
      const caller = this.caller || this.texts["end.theCaller"];
      const why = this.news.controller?.lost_since ? "rescue.body" : "rescue.bodyRole";
      if (this.rescue) return [text(this.texts, why, { name, caller }), this.texts["takeOver.bodyMicrophone"]];
      return [text(this.texts, "takeOver.body", { caller }), this.texts["takeOver.bodyMicrophone"]];
    },
  },
};
