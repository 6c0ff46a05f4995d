// How a person stands to a call that a supervisor has, and what is so for the caller: the words on both. Pure.

import { clockTime, text } from "./format.js";

/**
 * @typedef {"here" | "joining" | "left" | "elsewhere" | "other"} Standing
 * here: one has the call on this page; joining: so one had, and is being joined to it again; left: so one had, and it has been let go;
 * elsewhere: one has it in another tab or on another device; other: somebody else has it
 */
/** @typedef {import("./talk_words.js").Controller} Controller */
/** @typedef {{stale: boolean, quiet: number | null, controller: Controller}} Known  what the server says of the call; stale: it cannot reach Redis */

/**
 * Null: no supervisor has the call.
 * @param {import("./held_call.js").Held | null} mine what this page does with this call @param {import("./held_call.js").Ending | null} ending
 *   what became of that @param {Controller} controller @param {string} userId @returns {Standing | null}
 */
export function standing(mine, ending, controller, userId) {
  if (!controller) return null;
  if (controller.user_id !== userId) return "other";
  if (mine?.state === "talking") return "here";
  if (mine?.state === "reconnecting") return "joining";
  return ending?.kind === "lost" && ending.reason !== "elsewhere" ? "left" : "elsewhere";
}

/** Whether the call is on this page, be it that the audio is just being made again. @param {Standing | null} how */
export const isOnPage = (how) => how === "here" || how === "joining";

/**
 * Why the caller may not hear the supervisor who has the call; null: nothing speaks against it. @param {Known} known
 * @returns {"stale" | "quiet" | "lost" | null}
 */
export function unheard({ stale, quiet, controller }) {
  if (stale) return "stale";
  if (quiet !== null) return "quiet";
  return controller?.lost_since ? "lost" : null;
}

/**
 * Why the caller may not hear the person on this page, to be said; null: nothing speaks against it.
 * @param {Record<string, string>} texts @param {Known} known @returns {{name: string, title: string, text: string} | null}
 */
export function talkTrouble(texts, known) {
  const name = unheard(known);
  if (!name) return null;
  const since = { stale: null, quiet: known.quiet, lost: known.controller?.lost_since }[name];
  const time = since ? clockTime(since) : "";
  return { name, title: text(texts, `talk.${name}`, { time }), text: text(texts, `talk.${name}.hint`, { time }) };
}

/**
 * The notice in the transcript's place. @param {Record<string, string>} texts @param {Standing} how
 * @param {import("./held_call.js").Held | null} mine @param {Known} known @param {boolean} may whether one may take calls over
 * @returns {{title: string, text: string, alarm: boolean}} alarm: the caller hears nobody, as far as is known
 */
export function pausedWords(texts, how, mine, known, may) {
  const alarm = how === "joining" || how === "left" || unheard(known) !== null;
  return { ...wordsOf(texts, how, mine, known, may), alarm };
}

function wordsOf(texts, how, mine, known, may) {
  if (isOnPage(how)) return pausedHere(texts, how, mine, known);
  const why = unheard(known);
  const name = known.controller?.name ?? "";
  const own = how !== "other";
  const say = (key) => text(texts, key, { name });
  if (why === "lost") {
    const title = text(texts, "paused.lost", { time: clockTime(known.controller?.lost_since ?? 0) });
    return { title, text: say(own ? (may ? "paused.lost.you" : "paused.own.shutOut") : may ? "paused.lost.other" : "paused.lost.watched") };
  }
  if (own && !may) return { title: say(`paused.${how}`), text: say("paused.own.shutOut") };
  if (own) return { title: say(`paused.${how}`), text: say(why ? `paused.own.${why}` : `paused.${how}.hint`) };
  const hint = known.controller?.role_lost_since ? "paused.other.role" : "paused.other.hint";
  return { title: say("paused.other"), text: say(why ? `paused.other.${why}` : hint) };
}

function pausedHere(texts, how, mine, known) {
  const trouble = talkTrouble(texts, known);
  if (how === "joining" && trouble?.name !== "stale") return { title: texts["paused.joining"], text: texts["paused.joining.hint"] };
  if (trouble) return trouble;
  const hint = mine?.wantsTouch ? "paused.you.interrupted" : mine?.muted ? "paused.you.muted" : "paused.you.hint";
  return { title: texts["paused.you"], text: texts[hint] };
}
