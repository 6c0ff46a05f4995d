/** What an Admin may do about the people of a workspace: what is asked before it, and what is said after it. Pure. */

import { deviceWords } from "./device.js";
import { text } from "./format.js";

export const ROLES = ["admin", "developer", "member"];

/**
 * @typedef {{id: string, device: string, address: string, created_at: number, last_seen_at: number, expires_at: number, this: boolean}} Session
 * @typedef {{user_id: string, name: string, email: string, role: string, by: string | null, role_by: string | null, last_seen: number | null, you: boolean, sessions: Session[]}} Member
 * @typedef {{id: string, name: string, role: string, created_by: string, created_at: number, expires_at: number}} Invitation
 * @typedef {import("./acts.js").Question} Question
 */

/** @param {Record<string, string>} texts */
export function memberWords(texts) {
  const say = (/** @type {string} */ key, /** @type {Record<string, string | number>} */ values) => text(texts, key, values);
  const path = (/** @type {string[]} */ ...parts) => `/${parts.map(encodeURIComponent).join("/")}`;
  const only = (/** @type {(string | false | null | undefined)[]} */ ...lines) => /** @type {string[]} */ (lines.filter(Boolean));

  return {
    /** @param {Member} member @param {string} role @returns {Question} */
    role({ user_id, name, role: before, you, sessions }, role) {
      const [from, to] = [texts[`role.${before}`], texts[`role.${role}`]];
      const less = ROLES.indexOf(role) > ROLES.indexOf(before);
      return {
        name: "member-role",
        heading: say("member.role.heading", { name, role: to }),
        body: only(
          say("member.role.body", { name, from, to }),
          texts[`member.role.${role}`],
          texts[less ? "member.role.less" : "member.role.more"],
          less && sessions.length > 0 && texts["member.held"],
          less && you && texts["member.role.you"],
        ),
        confirm: say("member.role.confirm", { role: to }),
        cancel: texts["member.role.cancel"],
        tone: less ? "is-danger is-filled" : "is-primary",
        act: {
          key: user_id,
          path: path("members", user_id, "role"),
          body: { role },
          done: say("member.role.done", { name, role: to }),
          failed: say("member.role.failed", { name, role: from }),
        },
      };
    },

    /** @param {Member} member @returns {Question} */
    remove({ user_id, name, by, you, sessions }) {
      return {
        name: "member-remove",
        heading: say("member.remove.heading", { name }),
        body: only(
          say("member.remove.body", { name }),
          by ? say("member.remove.by", { name, by }) : say("member.remove.again", { name }),
          sessions.length > 0 && texts["member.cut"],
          you && texts["member.remove.you"],
        ),
        confirm: texts["member.remove.confirm"],
        cancel: texts["member.remove.cancel"],
        act: {
          key: user_id,
          path: path("members", user_id, "remove"),
          done: say("member.remove.done", { name }),
          failed: say("member.remove.failed", { name }),
        },
      };
    },

    /** @param {Member} member @param {Session} session @returns {Question} */
    end({ user_id, name }, session) {
      const device = deviceWords(texts, session.device);
      return {
        name: "session-end",
        heading: say("session.end.heading", { device }),
        body: only(say("session.end.body", { name, device }), say(session.this ? "session.end.this" : "session.end.others", { name }), texts["member.cut"]),
        confirm: texts["session.end.confirm"],
        cancel: texts["session.end.cancel"],
        act: {
          key: user_id,
          path: path("members", "sessions", session.id, "end"),
          done: say("session.end.done", { name, device }),
          failed: say("session.end.failed", { device }),
        },
      };
    },

    /** @param {Member} member */
    link: ({ user_id, name }) => ({ key: user_id, path: path("members", user_id, "link"), failed: say("member.link.failed", { name }) }),

    /** @param {Invitation} invitation @returns {Question} */
    revoke({ id, name: called, role }) {
      const name = called || texts["invitation.unnamed"];
      return {
        name: "invitation-revoke",
        heading: say("invitation.revoke.heading", { name }),
        body: [say("invitation.revoke.body", { name, role: texts[`role.${role}`] })],
        confirm: texts["invitation.revoke.confirm"],
        cancel: texts["invitation.revoke.cancel"],
        act: {
          key: `invitation ${id}`,
          path: path("invitations", id, "revoke"),
          done: say("invitation.revoke.done", { name }),
          failed: say("invitation.revoke.failed", { name }),
        },
      };
    },
  };
}
