/** What the server says of one call, for whoever shows it outside its drawer. It draws nothing, and keeps no transcript. */

import { LiveSocket } from "./socket.js";

export class CallNews {
  #socket;

  /** @param {string} callId @param {(news: CallNews) => void} onchange at each word on the call */
  constructor(callId, onchange) {
    /** The last message `call` of docs/interfaces.md; null: none yet. @type {any} */
    this.last = null;
    /** Whether livemon cannot reach Redis. */
    this.stale = false;
    this.#socket = new LiveSocket(`/feed/calls/${encodeURIComponent(callId)}`, {
      message: (message) => this.#receive(message) && onchange(this),
    });
    this.#socket.open();
  }

  close() {
    this.#socket.close();
  }

  #receive(message) {
    if (message.t === "call") this.last = message;
    const feed = message.t === "call" ? message.feed : message.t === "feed" ? message : null;
    if (feed) this.stale = feed.state === "stale";
    return message.t === "call" || feed !== null;
  }
}
