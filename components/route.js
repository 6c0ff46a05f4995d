// Which call is open stands in the address. Changes it without loading anything, and tells NiceGUI's sub pages.

const prefix = () => window.path_prefix ?? "";

/** @param {string} path @param {boolean} replace whether Back should skip the present one */
function go(path, replace) {
  if (location.pathname === prefix() + path) return;
  history[replace ? "replaceState" : "pushState"]({ page: path }, "", prefix() + path);
  window.emitEvent("sub_pages_open", path);
}

/**
 * @param {string} callId @param {"key" | "pointer"} by arrows through many calls leave no trail for Back to walk; clicks do
 */
export function openCall(callId, by) {
  const open = location.pathname.startsWith(`${prefix()}/live/`);
  go(`/live/${encodeURIComponent(callId)}`, open && by === "key");
}

export const closeCall = () => go("/live", false);
