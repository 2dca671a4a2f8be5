// @ts-check
/** The list of conversations as it is shown: by day, and how it changes. Pure. */

/** @typedef {import("./library-api.js").Stored} Stored */
/** @typedef {{ kind: "pinned" | "day" | "month", at: Date, conversations: Stored[] }} Group */

const DAY_MS = 86_400_000;
const WEEK = 7;

/** Midnight, here. @param {Date} moment */
const dayOf = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());

/** Whole days between two midnights; summer time makes some days shorter. @param {Date} a @param {Date} b */
const daysBetween = (a, b) => Math.round((b.getTime() - a.getTime()) / DAY_MS);

/**
 * The pinned ones, then those of each day of the last week, then those of each month.
 * @param {readonly Stored[]} conversations
 * @param {Date} now
 * @returns {Group[]}
 */
export function group(conversations, now) {
  const sorted = conversations.toSorted((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at));
  const pinned = sorted.filter((each) => each.pinned);
  /** @type {Group[]} */
  const groups = pinned.length ? [{ kind: "pinned", at: now, conversations: pinned }] : [];
  for (const each of sorted) {
    if (each.pinned) continue;
    const day = dayOf(new Date(each.updated_at));
    const near = daysBetween(day, dayOf(now)) < WEEK;
    const at = near ? day : new Date(day.getFullYear(), day.getMonth(), 1);
    const last = groups.at(-1);
    const kind = near ? "day" : "month";
    if (last?.kind === kind && last.at.getTime() === at.getTime()) last.conversations.push(each);
    else groups.push({ kind, at, conversations: [each] });
  }
  return groups;
}

/**
 * The heading of a group, in the page's language.
 * @param {Group} of
 * @param {Date} now
 * @param {string} locale
 */
export function heading({ kind, at }, now, locale) {
  if (kind === "month") return new Intl.DateTimeFormat(locale, { month: "long", year: "numeric" }).format(at);
  const ago = daysBetween(at, dayOf(now));
  if (ago > 1) return new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long" }).format(at);
  const text = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-ago, "day");
  return text.charAt(0).toLocaleUpperCase(locale) + text.slice(1);
}

/**
 * The list after a conversation came, changed, or (null) went.
 * @param {readonly Stored[]} all
 * @param {string} id
 * @param {Stored | null} now null also where it does not belong into this list
 */
export function place(all, id, now) {
  const others = all.filter((each) => each.id !== id);
  return now ? [now, ...others] : others;
}
