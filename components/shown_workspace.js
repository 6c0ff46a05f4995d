/**
 * The workspace that this page shows. Its requests and sockets name it, so that nothing is done in another one to which the
 * browser has gone meanwhile. A page that belongs to none (sign-in, an invitation) names none.
 */

const META = 'meta[name="livemon-workspace"]';

/** @returns {string} empty if there is none */
const shown = () => /** @type {HTMLMetaElement | null} */ (document.querySelector(META))?.content ?? "";

/** For a request. @returns {Record<string, string>} */
export const workspaceHeaders = () => (shown() ? { "X-Livemon-Workspace": shown() } : {});

/** The same within the address, where no header can be sent: with a socket, and as the page goes. @param {string} path without a query */
export const inWorkspace = (path) => (shown() ? `${path}?workspace=${encodeURIComponent(shown())}` : path);
