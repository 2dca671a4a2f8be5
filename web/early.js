// @ts-check
// Before anything is painted: the colours and the direction the visitor has chosen. No module, because
// modules run after the first paint.
(() => {
  try {
    const chosen = JSON.parse(localStorage.getItem("vivavoce.settings") ?? "{}");
    const root = document.documentElement;
    root.dataset["theme"] = chosen.theme ?? "";
    root.dataset["contrast"] = chosen.contrast ?? "";
    const language = String(chosen.pageLanguage || navigator.language).slice(0, 2);
    if (language === "ar") root.dir = "rtl";
  } catch {
    // Nothing was chosen, or it cannot be read.
  }
})();
