// @ts-check
/** What the palette offers, given what goes on. Pure but for the actions it is given. */

import { LANGUAGES, message } from "./messages.js";

/** @typedef {import("./palette.js").Command} Command */

/**
 * @param {object} now
 * @param {import("./settings.js").Settings} now.settings
 * @param {import("./conversation.js").Item | undefined} now.last the last answer
 * @param {boolean} now.busy
 * @param {boolean} now.empty
 * @param {(mode: import("./view.js").Mode) => void} now.setMode
 * @param {() => void} now.stop
 * @param {Pick<import("./library.js").Library, "fresh" | "search" | "openTransfer" | "toggle"> | null} [now.library]
 * @param {() => void} now.write
 * @param {() => void} now.clear
 * @param {(text: string) => void} now.copy
 * @param {(id: string) => void} now.replay
 * @param {(id: string) => void} now.regenerate
 * @param {() => void} now.openSettings
 * @param {(name: keyof import("./settings.js").Settings, value: string | boolean) => void} now.choose
 * @returns {Command[]}
 */
export function commandsFor(now) {
  const { settings, last } = now;
  /** @type {Command[]} */
  const commands = [];
  if (now.busy) commands.push({ name: message("talk.stop"), keys: "Esc", run: now.stop });
  commands.push(
    { name: message("mode.hold"), run: () => now.setMode("hold") },
    { name: message("mode.free"), run: () => now.setMode("free") },
    { name: message("mode.text"), run: () => now.setMode("text") },
    { name: message("command.write"), run: now.write },
  );
  if (!now.empty) commands.push({ name: message("conversation.clear"), keys: now.library ? "Ctrl ⇧ O" : "", run: now.clear });
  const { library } = now;
  if (library) {
    commands.push(
      { name: message("library.private"), run: () => void library.fresh({ ephemeral: true }) },
      { name: message("search.label"), keys: "Ctrl ⇧ F", run: library.search },
      { name: message("library.label"), keys: "Ctrl ⇧ S", run: library.toggle },
      { name: message("transfer.label"), run: library.openTransfer },
    );
  }
  if (last) {
    commands.push({ name: message("command.copyLast"), run: () => now.copy(last.text) });
    if (last.spoken || last.recorded) commands.push({ name: message("command.replayLast"), run: () => now.replay(last.id) });
    if (!now.busy) commands.push({ name: message("turn.regenerate"), run: () => now.regenerate(last.id) });
  }
  commands.push(
    { name: message("settings.label"), run: now.openSettings },
    {
      name: message("settings.speakReplies"),
      keys: settings.speakReplies ? "✓" : "",
      run: () => now.choose("speakReplies", !settings.speakReplies),
    },
  );
  for (const theme of /** @type {const} */ (["", "light", "dark"])) {
    const name = message(`settings.theme.${theme || "system"}`);
    commands.push({
      name: `${message("settings.theme")}: ${name}`,
      keys: settings.theme === theme ? "✓" : "",
      run: () => now.choose("theme", theme),
    });
  }
  commands.push({
    name: message("settings.contrast"),
    keys: settings.contrast ? "✓" : "",
    run: () => now.choose("contrast", settings.contrast ? "" : "more"),
  });
  for (const [tag, name] of Object.entries(LANGUAGES)) {
    commands.push({
      name: message("command.language", { name }),
      keys: settings.pageLanguage === tag ? "✓" : "",
      run: () => now.choose("pageLanguage", tag),
    });
  }
  return commands;
}
