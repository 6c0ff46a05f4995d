const WITHIN_MS = 500;
const WITHIN_PX = 24;
const PRESSES = ["pointerdown", "mousedown", "touchstart", "click", "dblclick"];

/**
 * Whether the one press can be the second of a double click that began with the other.
 * @param {{detail: number, timeStamp: number, clientX: number, clientY: number} | null} first @param {MouseEvent} second
 */
export function isSecondPress(first, second) {
  if (!first?.detail || second.timeStamp - first.timeStamp > WITHIN_MS) return false;
  return Math.hypot(second.clientX - first.clientX, second.clientY - first.clientY) <= WITHIN_PX;
}

/**
 * People double-click what asks for one click. Once what they clicked is gone, the second press would go to whatever lies
 * beneath: it is swallowed, if it comes at once and at the same place. A press elsewhere, or by a key, goes through; after
 * one elsewhere so does every other, since no double click does that.
 * @param {MouseEvent} first
 */
export function swallowSecondPress(first) {
  if (!first.detail) return; // by a key
  const on = { capture: true, passive: false };
  const stop = () => {
    for (const type of PRESSES) window.removeEventListener(type, swallow, on);
  };
  const swallow = (event) => {
    const at = event.touches?.[0] ?? event;
    if (event.type === "click" && !event.detail) return;
    if (Math.hypot(at.clientX - first.clientX, at.clientY - first.clientY) > WITHIN_PX) {
      stop();
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  // The click that is still on its way has passed the window's capturing listeners already.
  for (const type of PRESSES) window.addEventListener(type, swallow, on);
  setTimeout(stop, WITHIN_MS);
}
