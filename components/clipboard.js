/** Copying a text, also on a page that is not secure, which has no clipboard of its own. */

/**
 * @param {string} text @param {Element} shown where it can be read: selected, if it has to be copied another way
 * @returns {Promise<boolean>} false: it is selected, to be copied by hand
 */
export async function copyText(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text, shown);
  }
}

/** By the browser's own command, which older pages use: what it copies is the selection, as the page then says. */
function copySelected(text, shown) {
  getSelection()?.selectAllChildren(shown);
  let copied = false;
  /** @param {ClipboardEvent} event */
  const put = (event) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
    copied = true;
  };
  document.addEventListener("copy", put, true);
  try {
    return document.execCommand("copy") && copied;
  } finally {
    document.removeEventListener("copy", put, true);
  }
}
