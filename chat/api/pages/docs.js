// @ts-check
// Shows openapi.json. Everything from it becomes text, never HTML.

/** @typedef {Record<string, any>} Json */

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH = 4;

/**
 * An element with text or children.
 * @param {string} name
 * @param {(Node | string)[]} children
 * @param {string} [kind]
 */
function make(name, children, kind) {
  const element = document.createElement(name);
  element.append(...children);
  if (kind) element.className = kind;
  return element;
}

/**
 * A schema as one would write it down.
 * @param {Json} all the document
 * @param {any} schema
 * @param {number} depth how far references are followed still
 * @returns {string}
 */
function written(all, schema, depth) {
  if (!schema || typeof schema !== "object") return "anything";
  if (schema.$ref) {
    const name = String(schema.$ref).split("/").at(-1) ?? "";
    const found = all.components?.schemas?.[name];
    return depth > 0 && found ? written(all, found, depth - 1) : name;
  }
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((/** @type {any} */ v) => JSON.stringify(v)).join(" | ");
  const several = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (several) {
    const parts = several.map((/** @type {any} */ s) => written(all, s, depth));
    return parts.join(schema.allOf ? " & " : " | ");
  }
  if (schema.type === "array") return `[${written(all, schema.items ?? {}, depth)}]`;
  if (schema.properties) {
    const fields = Object.entries(schema.properties).map(([name, field]) => {
      const optional = schema.required?.includes(name) ? "" : "?";
      return `${name}${optional}: ${written(all, field, depth)}`.replaceAll("\n", "\n  ");
    });
    return `{\n  ${fields.join("\n  ")}\n}`;
  }
  const kind = [schema.type ?? "anything"].flat().join(" | ");
  return schema.format ? `${kind} (${schema.format})` : kind;
}

/**
 * @param {Json} all
 * @param {Json} content
 */
function bodies(all, content) {
  return Object.entries(content ?? {}).flatMap(([kind, { schema }]) => [
    make("p", [make("code", [kind])]),
    make("pre", [written(all, schema, DEPTH)]),
  ]);
}

/**
 * @param {Json} all
 * @param {Json[]} parameters
 */
function table(all, parameters) {
  const rows = parameters.map((parameter) =>
    make("tr", [
      make("td", [make("code", [parameter.name])]),
      make("td", [parameter.in + (parameter.required ? ", required" : "")]),
      make("td", [make("code", [written(all, parameter.schema, DEPTH)])]),
      make("td", [parameter.description ?? parameter.schema?.description ?? ""]),
    ]),
  );
  return make("table", rows);
}

/**
 * @param {Json} all
 * @param {string} path
 * @param {string} method
 * @param {Json} operation
 */
function shown(all, path, method, operation) {
  const parameters = [...(all.paths[path].parameters ?? []), ...(operation.parameters ?? [])];
  const head = make("summary", [
    make("span", [method.toUpperCase()], "method"),
    make("code", [path]),
    " ",
    make("span", [operation.summary ?? ""], "said"),
  ]);
  const parts = [head];
  if (operation.description) parts.push(make("p", [operation.description]));
  if (parameters.length) parts.push(make("h3", ["Parameters"]), table(all, parameters));
  if (operation.requestBody) {
    parts.push(make("h3", ["Body"]), ...bodies(all, operation.requestBody.content));
  }
  parts.push(make("h3", ["Answers"]));
  for (const [status, answer] of Object.entries(operation.responses ?? {})) {
    parts.push(make("p", [make("b", [status]), ` ${answer.description ?? ""}`]));
    if (status.startsWith("2")) parts.push(...bodies(all, answer.content));
  }
  return make("details", parts);
}

/** @param {Json} all */
function show(all) {
  const place = /** @type {HTMLElement} */ (document.getElementById("operations"));
  const title = /** @type {HTMLElement} */ (document.getElementById("title"));
  const description = /** @type {HTMLElement} */ (document.getElementById("description"));
  title.textContent = `${all.info.title} ${all.info.version}`;
  description.textContent = all.info.description ?? "";
  /** @type {Map<string, HTMLElement>} */
  const sections = new Map();
  for (const [path, described] of Object.entries(all.paths)) {
    for (const method of METHODS.filter((name) => name in described)) {
      const operation = described[method];
      const tag = operation.tags?.[0] ?? "speech and chat in OpenAI's shapes";
      const section = sections.get(tag) ?? make("section", [make("h2", [tag])]);
      section.append(shown(all, path, method, operation));
      sections.set(tag, section);
    }
  }
  place.replaceChildren(...sections.values());
  const find = /** @type {HTMLInputElement} */ (document.getElementById("find"));
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    for (const one of place.querySelectorAll("details")) {
      const head = one.querySelector("summary")?.textContent ?? "";
      one.hidden = !head.toLowerCase().includes(wanted);
    }
  });
}

try {
  const answer = await fetch("openapi.json");
  if (!answer.ok) throw new Error(String(answer.status));
  show(await answer.json());
} catch (error) {
  const place = /** @type {HTMLElement} */ (document.getElementById("operations"));
  place.replaceChildren(make("p", [`openapi.json cannot be read: ${error}`]));
}

export {};
