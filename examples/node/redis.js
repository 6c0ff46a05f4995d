// Connections to Redis or Valkey, and the protocol's scripts on them (docs/protocol-scripts.md).
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createClient } from "redis";

const FOLDER = new URL("../../runtime/livemon_runtime/scripts/", import.meta.url);
const text = (name) => readFileSync(new URL(`${name}.lua`, FOLDER), "utf8");
const NAMES = ["announce", "update", "append", "end", "accept", "refuse", "supervisor", "result"];
const SCRIPTS = new Map(NAMES.map((name) => [name, text("common") + text(name)]));
const ANSWER_MS = 2_000;

/** A client that reconnects by itself; while it is away every command fails at once, and nothing is queued. */
export function connect(url) {
  const socket = {
    connectTimeout: ANSWER_MS,
    socketTimeout: 15_000,
    reconnectStrategy: (tries) => Math.min(100 * 2 ** tries, 2_000),
  };
  const client = createClient({ url, socket, disableOfflineQueue: true, pingInterval: 5_000 });
  client.on("error", () => {}); // the heartbeat says that Redis is away
  client.connect().catch(() => {});
  return client;
}

/** One command's answer; rejects when none comes in time: then nobody knows whether it was done. */
export async function ask(client, words, wait = ANSWER_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("Redis does not answer")), wait);
  });
  try {
    return await Promise.race([client.sendCommand(words.map(String)), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Run one of the scripts; each may safely run twice. */
export async function run(client, name, keys, ...words) {
  const source = SCRIPTS.get(name);
  const sha = createHash("sha1").update(source).digest("hex");
  const command = ["EVALSHA", sha, keys.length, ...keys, ...words];
  try {
    return await ask(client, command);
  } catch (error) {
    if (!String(error.message).startsWith("NOSCRIPT")) throw error;
    await ask(client, ["SCRIPT", "LOAD", source]);
    return ask(client, command);
  }
}
