/** What a browser says about itself (User-Agent), in words that a person knows their device by. Pure. */

import { text } from "./format.js";

/** The first that fits counts: most say that they are others, too. */
const BROWSERS = [
  [/\b(?:Edg|EdgA|EdgiOS)\//, "Edge"],
  [/\b(?:OPR|OPiOS|Opera)\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(?:Firefox|FxiOS)\//, "Firefox"],
  [/\b(?:Chrome|CriOS|Chromium|HeadlessChrome)\//, "Chrome"],
  [/\bVersion\/\S+ (?:Mobile\/\S+ )?Safari\//, "Safari"],
];
const SYSTEMS = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\b(?:Macintosh|Mac OS X)\b/, "Mac"],
  [/\bLinux\b/, "Linux"],
];
const MOST = 60;

/** "Chrome on Android"; what is no browser says its own name. @param {Record<string, string>} texts @param {string} agent */
export function deviceWords(texts, agent) {
  const browser = named(BROWSERS, agent);
  const system = named(SYSTEMS, agent);
  if (browser && system) return text(texts, "device", { browser, system });
  const product = agent.trim().split(/[\s(]/)[0].slice(0, MOST);
  return browser || system || product || texts["device.unknown"];
}

/** @param {(string | RegExp)[][]} table @param {string} agent */
const named = (table, agent) => String(table.find(([sign]) => /** @type {RegExp} */ (sign).test(agent))?.[1] ?? "");
