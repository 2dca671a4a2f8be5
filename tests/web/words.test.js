/** The message catalogue: every language says everything, and says it as its grammar wants. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import {
  LANGUAGES,
  direction,
  formatNumber,
  languageName,
  message,
  pickLanguage,
  speakLanguage,
} from "../../web/messages.js";
import english from "../../web/words/en.js";

const web = new URL("../../web/", import.meta.url);
const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("there is a catalogue for each language, and no other", () => {
  const found = readdirSync(new URL("words", web)).map((file) => file.replace(".js", ""));
  assert.deepEqual(found.sort(), Object.keys(LANGUAGES).sort());
});

for (const tag of Object.keys(LANGUAGES)) {
  test(`${LANGUAGES[tag]} has every message, with the same values in it`, async () => {
    const words = (await import(`../../web/words/${tag}.js`)).default;
    assert.deepEqual(Object.keys(words).sort(), Object.keys(english).sort());
    const categories = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;
    for (const [key, text] of Object.entries(words)) {
      if (typeof english[key] === "string") {
        assert.equal(typeof text, "string", key);
        assert.ok(text.trim(), key);
        assert.deepEqual(names(text), names(english[key]), key);
      } else {
        assert.deepEqual(Object.keys(text).sort(), [...categories].sort(), `plural forms of ${key}`);
      }
    }
  });
}

test("another language says other words", async () => {
  for (const tag of Object.keys(LANGUAGES).filter((other) => other !== "en")) {
    const words = (await import(`../../web/words/${tag}.js`)).default;
    const same = Object.keys(english).filter((key) => english[key] === words[key]);
    assert.ok(same.length < 12, `${tag} says as English does: ${same}`);
  }
});

test("whatever the page asks for is in the catalogue", () => {
  for (const file of ["index.html", "kiosk/index.html"]) {
    const page = readFileSync(new URL(file, web), "utf8");
    const asked = [...page.matchAll(/data-message(?:-\w+)?="([^"]+)"/g)].map(([, key]) => key);
    assert.ok(asked.length > 5);
    assert.deepEqual(asked.filter((key) => !(key in english)), [], file);
  }
});

test("numbers, plurals and names are written as the language does", async () => {
  assert.equal(message("palette.count", { count: 1 }), "1 command");
  assert.equal(message("palette.count", { count: 2 }), "2 commands");
  assert.equal(message("timing.value", { ms: 1234.56 }), "1,234.6 ms");
  assert.equal(languageName("de"), "German");
  await speakLanguage("de");
  assert.equal(message("palette.count", { count: 1 }), "1 Befehl");
  assert.equal(message("timing.value", { ms: 1234.56 }), "1.234,6 ms");
  assert.equal(languageName("ja"), "Japanisch");
  assert.equal(direction(), "ltr");
  await speakLanguage("ar");
  assert.equal(message("palette.count", { count: 2 }), "أمران");
  assert.equal(message("kiosk.ending", { count: 3 }).includes(formatNumber(3)), true);
  assert.equal(direction(), "rtl");
  await speakLanguage("en");
  assert.equal(direction(), "ltr");
});

test("the browser's languages are tried in order", () => {
  assert.equal(pickLanguage(["nl", "fr-CA", "en"]), "fr");
  assert.equal(pickLanguage(["de-AT"]), "de");
  assert.equal(pickLanguage(["tlh"]), "en");
  assert.equal(pickLanguage([]), "en");
});
