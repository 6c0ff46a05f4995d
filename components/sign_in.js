// The sign-in page: takes the link's token out of the address's hash (which no server and no log has seen) and exchanges it.

import { ownPlace } from "./own_place.js";

const root = document.querySelector("[data-testid=sign-in]");
const parts = new Map([...root.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
const NEXT_KEY = "livemon:next"; // where this tab wanted to go; the link that is then opened in it knows nothing of that
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? location.hash.slice(1);

/** @param {"how" | "working" | "used" | "limited" | "failed"} name the part to be seen, and no other */
function show(name) {
  for (const [other, part] of parts) part.hidden = other !== name;
  root.dataset.state = name;
}

async function signIn() {
  show("working");
  let response;
  try {
    response = await fetch("sign-in/link", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
      signal: AbortSignal.timeout(10_000),
    });
  } catch {
    return show("failed");
  }
  history.replaceState(null, "", location.pathname + location.search); // a used token is of no use to anyone behind this screen
  if (response.ok) {
    const answer = await response.json();
    const asked = sessionStorage.getItem(NEXT_KEY);
    sessionStorage.removeItem(NEXT_KEY);
    location.replace(ownPlace(asked) ?? ownPlace(answer.next) ?? "/");
  } else if (response.status === 429) {
    show("limited");
  } else if (response.status >= 500) {
    show("failed");
  } else {
    show("used");
  }
}

for (const button of root.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.copied;
    } catch {
      getSelection()?.selectAllChildren(button.parentElement.querySelector("code")); // no clipboard here: at least it is selected
    }
  });
}
for (const button of root.querySelectorAll("[data-provider]")) {
  button.addEventListener("click", () => sessionStorage.removeItem(NEXT_KEY)); // it stands in the button's own address
}
for (const button of root.querySelectorAll("[data-retry]")) button.addEventListener("click", signIn);
window.addEventListener("hashchange", () => location.reload()); // another link, pasted into this tab
const wanted = new URLSearchParams(location.search).get("next");
if (wanted) sessionStorage.setItem(NEXT_KEY, wanted);
if (token) signIn();
else show("how");
