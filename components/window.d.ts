/** What stands on `window` beside the browser's own. For the type check alone: no browser ever loads it. */

interface Window {
  /** NiceGUI: the path that a proxy has put before ours. */
  path_prefix?: string;
  /** NiceGUI: an event for the server's side of the page. */
  emitEvent(name: string, ...args: unknown[]): void;
  /** Quasar's globals, once NiceGUI has loaded it. */
  Quasar?: { Dark?: { set(dark: boolean): void } };
  /** `account_menu.js`: signing out is under way and leads elsewhere, so the page is not to be loaded anew. */
  livemonLeaves?: boolean;
  /** `theme.js` */
  livemonTheme: { choice(): "light" | "dark" | "system"; choose(chosen: "light" | "dark" | "system"): void };
}
