/** Messages as the server stores them. */

/**
 * @param {string} id
 * @param {string} role
 * @param {string} text
 * @param {object} more what is not as usual
 */
export const stored = (id, role, text, more = {}) => ({
  id,
  role,
  text,
  status: "complete",
  cut: false,
  timings: {},
  attachments: [],
  error: null,
  created_at: "2026-11-21T12:00:00Z",
  versions: [id],
  ...more,
});
