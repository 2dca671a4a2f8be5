// @ts-check
/** A server that wants an API key: it is shown once, in exchange for a cookie no script can read. */

import { message } from "./messages.js";

const ROUTE = "/v1/browser_session";
const PATIENCE_MS = 5000;

/** @typedef {"signed_in" | "open" | "locked" | "forbidden" | "unreachable"} Answer */

/**
 * Ask who this browser is to the server (GET), sign in (POST) or out (DELETE).
 * @param {"GET" | "POST" | "DELETE"} method
 * @param {string} [key]
 * @returns {Promise<Answer>}
 */
async function ask(method, key) {
  try {
    const response = await fetch(ROUTE, {
      method,
      headers: key ? { authorization: `Bearer ${key}` } : {},
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (response.ok) return (await response.json()).signed_in ? "signed_in" : "open";
    if (response.status === 401) return "locked";
    if (response.status === 403) return "forbidden";
  } catch (error) {
    // No server; or what was typed cannot be in a header, so it is no key.
    if (key && error instanceof TypeError && /[^\x21-\x7e]/.test(key)) return "locked";
  }
  return "unreachable";
}

/**
 * The form, which is there only while it is needed, and the button to sign out.
 * @param {Pick<import("./view.js").Elements, "signIn" | "signInKey" | "signInError" | "signOut">} elements
 * @param {{ onSignedIn: () => void }} ports
 */
export function bindSignIn({ signIn, signInKey, signInError, signOut }, { onSignedIn }) {
  signIn.addEventListener("submit", async (event) => {
    event.preventDefault();
    signInError.textContent = "";
    const answer = await ask("POST", signInKey.value.trim());
    if (answer === "signed_in" || answer === "open") {
      signIn.hidden = true;
      onSignedIn();
    } else {
      signInError.textContent = message(`signIn.${answer}`);
      signInKey.select();
    }
    if (signIn.hidden) signInKey.value = "";
  });

  signOut.addEventListener("click", async () => {
    await ask("DELETE");
    location.reload();
  });

  return {
    /** Whether the page waits for a key. */
    get asking() {
      return !signIn.hidden;
    },

    /** See how things stand, and ask for a key if one is wanted. */
    async look() {
      const answer = await ask("GET");
      signOut.hidden = answer !== "signed_in";
      if (answer === "locked" && signIn.hidden) {
        signIn.hidden = false;
        signInKey.focus();
      }
      if (answer === "signed_in" || answer === "open") signIn.hidden = true;
      return answer;
    },
  };
}
