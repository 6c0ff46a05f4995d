// The page of an invitation: takes its token out of the address's hash (which no server and no log has seen), says what one
// is invited to, and lets one in: at an identity provider, or by a name.

import { text } from "./format.js";
import { ownPlace } from "./own_place.js";
import { RequestFailed, post } from "./request.js";

/** @typedef {{workspace: string, role: string, name: string, providers: {slug: string, label: string}[], you: {name: string, member: boolean} | null}} Invited */

const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (document.querySelector(selector));
const root = find("[data-testid=join]");
const words = /** @type {Record<string, string>} */ (JSON.parse(root.dataset.words ?? "{}"));
const parts = [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-part]"))];
const problem = find("[data-testid=join-problem]");
const form = /** @type {HTMLFormElement} */ (find("[data-part=ask] form"));
const name = /** @type {HTMLInputElement} */ (find("[data-testid=join-name]"));
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? location.hash.slice(1);
/** What these codes mean here; all others come with the server's own words. */
const OVER = ["invitation_used", "none"];
window.path_prefix = root.dataset.prefix;

/** @param {string} part the one to be seen, and no other */
function show(part) {
  for (const one of parts) one.hidden = one.dataset.part !== part;
  root.dataset.state = part;
}

/** @param {string} code @param {string} title @param {string} what */
function tell(code, title, what) {
  problem.dataset.problem = code;
  find("[data-problem-title]").textContent = title;
  find("[data-problem-text]").textContent = what;
  problem.hidden = false;
}

/** In words, and with what can be done next. @param {unknown} error */
function fail(error) {
  if (!(error instanceof RequestFailed)) throw error;
  const { answered, code, message } = error;
  if (OVER.includes(code)) over(code);
  else if (code === "name_taken") taken();
  else tell(answered ? code : "away", words[answered ? "join.failed" : "join.away"], answered && message ? message : words["join.away.text"]);
}

/** @param {string} code the invitation leads nowhere any more */
function over(code) {
  tell(code, words[`join.${code}`], words[`join.${code}.text`]);
  show("over");
}

function taken() {
  tell("name_taken", words["join.name_taken"], words["join.name_taken.text"]);
  name.setAttribute("aria-invalid", "true");
  name.focus();
  name.select();
}

/** Ask, with every button off until the outcome is known; going elsewhere, they stay off. @param {() => Promise<boolean>} ask */
async function busy(ask) {
  enable(false);
  problem.hidden = true;
  try {
    const leaves = await ask();
    enable(!leaves);
  } catch (error) {
    enable(true); // before `fail` puts the focus anywhere
    fail(error);
  }
}

/** @param {boolean} on */
function enable(on) {
  for (const button of root.querySelectorAll("button")) button.disabled = !on;
}

async function look() {
  if (!token) return over("none");
  show("working");
  await busy(async () => {
    try {
      invite(await post("/join/look", { token }));
    } catch (error) {
      show("away");
      if (!(error instanceof RequestFailed && error.answered)) throw error; // the token stays for whoever loads the page anew
      forget();
      throw error;
    }
    forget();
    return false;
  });
}

/** The token is kept here alone, where nobody behind this screen reads it. */
const forget = () => history.replaceState(null, "", location.pathname);

/** @param {Invited} invited */
function invite({ workspace, role, name: called, providers, you }) {
  find("[data-invited]").textContent = text(words, "join.invited", { workspace, role: words[`role.${role}`] ?? role });
  find("[data-role]").textContent = words[`join.as.${role}`] ?? "";
  name.value = called;
  const ways = find("[data-ways]");
  ways.hidden = !providers.length;
  ways.replaceChildren(...providers.map(way));
  const by = /** @type {HTMLDetailsElement} */ (find("[data-by-name]"));
  by.open = !providers.length && !you;
  by.classList.toggle("is-only", by.open);
  find("[data-by-name-words]").textContent = words[you ? "join.other" : "join.by_name"];
  signedIn(you);
  show("ask");
}

/** As whom one joins who is signed in in this browser. @param {Invited["you"]} you */
function signedIn(you) {
  find("[data-you]").hidden = !you;
  if (!you) return;
  find("[data-you-text]").textContent = text(words, you.member ? "join.member.text" : "join.as_you.text", { name: you.name });
  const button = find("[data-as-me]");
  button.hidden = you.member;
  button.textContent = text(words, "join.as_you", { name: you.name });
}

/** A button that leads to a provider. @param {{slug: string, label: string}} provider */
function way({ slug, label }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "lm-button is-primary";
  button.dataset.testid = `join-with-${slug}`;
  button.textContent = text(words, "join.with", { name: label });
  button.addEventListener("click", () =>
    busy(async () => {
      const { next } = await post(`/join/with/${encodeURIComponent(slug)}`, { token });
      if (!/^https?:/.test(new URL(next, location.href).protocol)) throw new RequestFailed(true, "failed", "");
      location.assign(next);
      return true;
    }),
  );
  return button;
}

/** Accept there, and go where the answer says. @param {string} path @param {object} body */
function join(path, body) {
  name.removeAttribute("aria-invalid");
  void busy(async () => {
    const { next } = await post(path, body);
    location.replace(ownPlace(next) ?? `${window.path_prefix ?? ""}/`);
    return true;
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  join("/join/accept", { token, name: name.value.trim() });
});
find("[data-as-me]").addEventListener("click", () => join("/join/as-me", { token }));
find("[data-retry]").addEventListener("click", () => void look());
window.addEventListener("hashchange", () => location.reload()); // another link, pasted into this tab
window.addEventListener("pageshow", (event) => event.persisted && enable(true)); // back from a provider
void look();
