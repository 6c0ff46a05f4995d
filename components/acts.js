/** What an Admin does to a list: asked for first where it takes something away, done once, its outcome told, the list read anew. */

import { RequestFailed, post } from "./request.js";

/**
 * @typedef {{key: string, path: string, body?: unknown, done?: string, failed: string}} Act
 *   `key`: what it is done to, for `busy` and `problems`; `done` and `failed` say in words what has happened, or has not
 * @typedef {{name: string, heading: string, body: string[], confirm: string, cancel: string, tone?: string, act: Act}} Question
 */

/** A component that mixes it in has `texts`, `book` (a `Watched`) and an element `title` for the focus. */
export const Acts = {
  data: () => ({
    /** @type {Question & {opener: Element | null} | null} */
    asking: null,
    /** @type {Record<string, Act>} what is under way */
    busy: {},
    /** @type {Record<string, {title: string, text: string}>} */
    problems: {},
    said: "",
  }),

  methods: {
    /** @param {Question} question */
    ask(question) {
      this.asking = { ...question, opener: document.activeElement };
    },

    /** @param {boolean} yes */
    answer(yes) {
      const { act, opener } = this.asking;
      this.asking = null;
      if (yes) void this.act(act, opener);
    },

    /** The server's answer, or undefined if it was not done. @param {Act} act @param {Element | null} [opener] gets the focus back */
    async act(act, opener = document.activeElement) {
      const { key, path, body, done, failed } = act;
      if (this.busy[key]) return undefined;
      this.busy[key] = act;
      this.said = "";
      delete this.problems[key];
      let answer;
      try {
        answer = await post(path, body);
        this.said = done ?? "";
      } catch (error) {
        if (!(error instanceof RequestFailed)) throw error;
        const { answered, message } = error;
        this.problems[key] = { title: answered ? failed : this.texts["act.unknown"], text: message || this.texts["act.unknown.text"] };
      }
      await this.book.load();
      delete this.busy[key];
      await this.$nextTick();
      this.returnFocus(opener);
      return answer;
    },

    /** Whoever acted by the keyboard goes on where they were, if that is still there. @param {Element | null} opener */
    returnFocus(opener) {
      if (document.activeElement !== document.body) return;
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
      if (document.activeElement === document.body) this.$refs.title?.focus();
    },
  },
};
