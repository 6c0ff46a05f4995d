/** Where a sign-in may lead: only to a place on this server. Pure but for the page's own address. */

/** The path, or null if it leads elsewhere. @param {string | null | undefined} path */
export function ownPlace(path) {
  if (!path || !URL.canParse(path, location.origin)) return null;
  const url = new URL(path, location.origin);
  const ours = url.origin === location.origin && path.startsWith("/") && !url.pathname.startsWith("//");
  return ours ? url.pathname + url.search : null; // `//elsewhere` would be another server, `/.//elsewhere` too
}
