/** Going to another of one's workspaces: a new session, so that every page of this browser loads anew. */

import { text } from "./format.js";
import { RequestFailed, post } from "./request.js";

/**
 * Leaves the page if it comes about. @param {Record<string, string>} texts @param {string} slug @param {string} [path] where to
 * go there, the start unless said @returns {Promise<string>} otherwise: what to tell
 */
export async function goTo(texts, slug, path) {
  window.livemonLeaves = true; // so that nobody else reloads this page because its session is over
  try {
    const { next } = await post("/workspace", { slug });
    location.replace(path === undefined ? next : (window.path_prefix ?? "") + path);
    return "";
  } catch (error) {
    window.livemonLeaves = false;
    if (!(error instanceof RequestFailed)) throw error;
    return error.message || text(texts, "workspace.unknown");
  }
}

/** Whether this page was asked for by its address; one that was loaded again, or gone back to, was not. */
export function cameByAddress() {
  const [entry] = performance.getEntriesByType("navigation");
  return entry instanceof PerformanceNavigationTiming && entry.type === "navigate";
}
