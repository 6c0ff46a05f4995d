/** Ending a call: asked for first, then done once, and its outcome told. For components with a `texts` prop; see `methods`. */

import { text } from "./format.js";
import { RequestFailed, post } from "./request.js";

/** The runtime has said yes: the end itself follows by the call's socket. Past this one may ask again. */
const END_SEEN_WITHIN_MS = 10_000;
/** The request is on its way, or not: the server itself cannot say. */
const UNKNOWN = ["redis_away"];

/** A component that mixes it in has `tell(notice)`, `untell(kind)`, and `over`, whether the call has ended. */
export const EndsCall = {
  data: () => ({ confirming: false, ending: false, endUnknown: false }),
  beforeUnmount() {
    clearTimeout(this.endTimer);
  },
  methods: {
    async endCall(callId) {
      this.confirming = false;
      this.ending = true;
      this.endUnknown = false;
      this.untell("end");
      try {
        await post(`/calls/${encodeURIComponent(callId)}/end`);
        this.endTimer = setTimeout(() => (this.ending = false), END_SEEN_WITHIN_MS);
      } catch (error) {
        if (!(error instanceof RequestFailed)) throw error;
        this.ending = false;
        if (this.over) return;
        const words = error.message || this.texts["end.unknown.hint"];
        this.endUnknown = !error.answered || UNKNOWN.includes(error.code);
        this.tell({ kind: "end", tone: "danger", title: this.texts[this.endUnknown ? "end.unknown" : "end.failed"], text: words });
      }
    },

    /** The server can say again how the call is, and says it. */
    endIsKnown() {
      if (this.endUnknown) this.untell("end");
      this.endUnknown = false;
    },

    endIsSeen() {
      clearTimeout(this.endTimer);
      this.confirming = this.ending = this.endUnknown = false;
    },

    /** @param {string | null | undefined} caller @param {boolean} held whether the supervisor has the call, not the agent */
    endBody(caller, held) {
      const body = held ? "end.bodyHeld" : "end.body";
      return [text(this.texts, body, { caller: caller || this.texts["end.theCaller"] }), this.texts["end.bodyAll"]];
    },
  },
};
