// @ts-check
/** The service worker (sw.js): the page's own files are there when the server is not. */

export function registerWorker() {
  if (!navigator.serviceWorker) return;
  window.addEventListener("load", start);
  if (document.readyState === "complete") start();

  function start() {
    navigator.serviceWorker
      .register("/sw.js")
      .then(() => navigator.serviceWorker.ready)
      .then(({ active }) => {
        const files = performance.getEntriesByType("resource").map(({ name }) => name);
        active?.postMessage({ type: "keep", urls: [location.href, ...files] });
      })
      .catch((error) => console.info("the page is not kept for when the server is away", error));
  }
}
