// To whom a key belongs: the arrows are the list's only when nothing else that uses them has the focus. Pure.

const OWN_ARROWS =
  'input, textarea, select, [contenteditable]:not([contenteditable="false"]), [role="slider"], [role="menu"], [role="listbox"],' +
  ' [role="radiogroup"], [role="dialog"], [role="alertdialog"], dialog, audio, video, pre[tabindex], [data-testid="transcript"]';

/** @param {EventTarget | null} target @returns {boolean} whether the arrows belong to it, not to the list */
export const hasOwnArrows = (target) => target instanceof Element && target.closest(OWN_ARROWS) !== null;

/** @returns {boolean} whether a dialog or menu stands over the page, and has the keys */
export const modalOpen = () => document.querySelector('dialog[open], [aria-modal="true"], .q-dialog__inner, .q-menu') !== null;
