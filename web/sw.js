// @ts-check
/**
 * Keeps the page's own files for when the server is away. The server always goes first, so that no
 * visitor ever sees old code while it answers; what it says is kept, and shown only where it is silent
 * or takes too long.
 * The interfaces under /v1 and the like are never kept: without the server they fail, as they should.
 */

const STORE = "vivavoce.shell";
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
/** The page's files: what lies at the top or in one of these folders. */
const FILES = /^\/(?:(?:kiosk|styles|words|worklets|icons)\/)?[^/]*$/;
/** A document is kept in the language it last came in; it is the page's file all the same. */
const HOW = { ignoreVary: true };
/** A line that takes so long to answer hangs, and nothing else that is asked for is given as long. */
const PATIENCE_MS = 5000;
const HANGING_MS = 500;
/** A proxy says that the server is not there. */
const AWAY = new Set([502, 503, 504]);
const NEVER = /^\/(?:health|ready|metrics|openapi\.json|sw\.js)$/;

let hangs = false;

worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

/** @param {URL} url */
const isOurs = (url) =>
  url.origin === worker.location.origin && FILES.test(url.pathname) && !NEVER.test(url.pathname);

worker.addEventListener("message", (event) => {
  if (event.data?.type !== "keep" || !Array.isArray(event.data.urls)) return;
  const urls = event.data.urls.map((/** @type {string} */ name) => new URL(name));
  event.waitUntil(keep(urls.filter(isOurs)));
});

/** @param {URL[]} urls */
async function keep(urls) {
  const store = await caches.open(STORE);
  for (const { pathname } of urls) {
    if (!(await store.match(pathname, HOW))) await store.add(pathname).catch(() => undefined);
  }
}

worker.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method === "GET" && isOurs(url)) event.respondWith(answer(event, url.pathname));
});

/**
 * @param {FetchEvent} event
 * @param {string} path
 */
async function answer(event, path) {
  const store = await caches.open(STORE);
  const asked = ask(event, path, store);
  const patience = new Promise((resolve) => setTimeout(resolve, hangs ? HANGING_MS : PATIENCE_MS));
  const late = patience.then(async () => {
    const kept = await store.match(path, HOW);
    hangs ||= kept !== undefined;
    return kept ?? asked;
  });
  try {
    return await Promise.race([asked, late]);
  } catch (error) {
    const kept = await store.match(path, HOW);
    if (kept) return kept;
    throw error;
  }
}

/**
 * What the server says, which is kept; what was kept where only something in front of it answers.
 * @param {FetchEvent} event
 * @param {string} path
 * @param {Cache} store
 */
async function ask(event, path, store) {
  const response = await fetch(event.request);
  hangs = false;
  // Nobody waits for what is written; what breaks off on its way is not kept.
  if (response.ok && response.type === "basic")
    event.waitUntil(store.put(path, response.clone()).catch(() => undefined));
  return AWAY.has(response.status) ? ((await store.match(path, HOW)) ?? response) : response;
}
