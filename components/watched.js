/** Something that the server knows, asked for anew every few seconds while the page is looked at. It knows no screen. */

import { RequestFailed, get } from "./request.js";

const EVERY_MS = 10_000;

export class Watched {
  /** @param {string} path */
  constructor(path) {
    this.path = path;
    /** @type {any} the last good answer */
    this.data = null;
    this.loading = false;
    /** @type {{words: string, since: number | null} | null} what went wrong in the server's words, and from when `data` is */
    this.trouble = null;
    /** @type {number | null} when `data` came, by this device's clock */
    this.since = null;
    this.asked = 0;
    /** @type {number | undefined} */
    this.timer = undefined;
    /** @type {() => void} */
    this.visible = () => {};
  }

  /** What is called later is made here: whoever opens it may hold it by a proxy that watches what changes, as Vue does. */
  open() {
    this.visible = () => void (document.visibilityState === "visible" && this.load());
    document.addEventListener("visibilitychange", this.visible);
    void this.load();
  }

  /** No answer changes anything any more. */
  close() {
    this.asked += 1;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.visible);
  }

  /** As it is now: what was asked before, and may have been answered before a change, is overtaken. */
  async load() {
    const asked = (this.asked += 1);
    clearTimeout(this.timer);
    this.loading = true;
    const answer = await ask(this.path);
    if (asked !== this.asked) return;
    this.loading = false;
    if (answer.data) {
      this.data = answer.data;
      this.since = Date.now();
    }
    this.trouble = answer.data ? null : { words: answer.words, since: this.since };
    this.timer = window.setTimeout(this.visible, EVERY_MS);
  }
}

/** @param {string} path @returns {Promise<{data: any, words: string}>} */
async function ask(path) {
  try {
    return { data: await get(path), words: "" };
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    return { data: null, words: error.message };
  }
}
