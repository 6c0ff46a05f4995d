/**
 * The call that one had when the page went away, so that the page that comes next in this tab takes it up again. A tab that was
 * duplicated has a copy of it, but its original has not gone away: it takes nothing up.
 */

const KEY = "livemon:talk";
const KEPT_FOR_MS = 120_000;

/** @typedef {{callId: string, title: string, muted: boolean, claims: string[]}} Kept */

export const talkMemory = {
  /** @param {Kept} talk */
  keep(talk) {
    sessionStorage.setItem(KEY, JSON.stringify({ ...talk, goneAt: null }));
  },

  /** The page goes away. */
  leave() {
    const kept = read();
    if (kept) sessionStorage.setItem(KEY, JSON.stringify({ ...kept, goneAt: Date.now() }));
  },

  forget() {
    sessionStorage.removeItem(KEY);
  },

  /** The call to take up again, if this tab had one a moment ago. @returns {Kept | null} */
  survivor() {
    const kept = read();
    return kept?.goneAt && Date.now() - kept.goneAt < KEPT_FOR_MS ? kept : null;
  },
};

/** @returns {(Kept & {goneAt: number | null}) | null} */
function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}
