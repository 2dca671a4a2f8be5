// @ts-check
// Before anything is painted: the colours and the room that the visitor's choices want. It stands at the
// head of the body and is no module, because modules run after the first paint.
(() => {
  try {
    const chosen = JSON.parse(localStorage.getItem("vivavoce.settings") ?? "{}");
    const root = document.documentElement;
    root.dataset["theme"] = chosen.theme ?? "";
    root.dataset["contrast"] = chosen.contrast ?? "";
    if (chosen.mode === "text") document.body.dataset["mode"] = "text";
    const wide = window.matchMedia("(min-width: 56rem)").matches;
    document.body.toggleAttribute("data-library", wide && localStorage.getItem("vivavoce.library") !== "closed");
  } catch {
    // Nothing was chosen, or it cannot be read.
  }
})();
