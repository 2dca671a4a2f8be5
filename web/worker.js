// @ts-check
/** The service worker (sw.js): the page's own files are there when the server is not. */

/** After the page has loaded: fetching its files once more would take time from their first run. */
const LATER_MS = 3000;

export function registerWorker() {
  if (!navigator.serviceWorker) return;
  const wait = () => setTimeout(start, LATER_MS);
  if (document.readyState === "complete") wait();
  else window.addEventListener("load", wait);

  function start() {
    navigator.serviceWorker
      .register("/sw.js")
      .then(() => navigator.serviceWorker.ready)
      .then(({ active }) => {
        /** @param {string[]} urls */
        const keep = (urls) => active?.postMessage({ type: "keep", urls });
        keep([location.origin + location.pathname]);
        // Also what comes later, or is on its way while the worker takes over and passes it by.
        const watch = new PerformanceObserver((list) => keep(list.getEntries().map(({ name }) => name)));
        watch.observe({ type: "resource", buffered: true });
      })
      .catch((error) => console.info("the page is not kept for when the server is away", error));
  }
}
