// Shows /openapi.json as a page. Text goes in as text nodes only, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Paragraphs and lists with `code` and **bold**: as much Markdown as our descriptions use.
function prose(text) {
  const blocks = [];
  for (const block of (text || "").split(/\n\n+/)) {
    const items = block.split(/\n(?=- )/).filter((item) => item.trim());
    if (items.length && items.every((item) => item.startsWith("- "))) {
      blocks.push(element("ul", {}, ...items.map((item) => element("li", {}, ...inline(item.slice(2))))));
    } else if (block.trim()) {
      blocks.push(element("p", {}, ...inline(block)));
    }
  }
  return blocks;
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) => {
    if (part.startsWith("`")) return element("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return element("strong", {}, part.slice(2, -2));
    return part;
  });
}

function resolver(spec) {
  return function resolve(node) {
    while (node && node.$ref) {
      node = node.$ref.slice(2).split("/").reduce((at, step) => at[step], spec);
    }
    return node || {};
  };
}

function typeOf(schema, resolve) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const choices = schema.anyOf || schema.oneOf;
  if (choices) return choices.map((choice) => typeOf(choice, resolve)).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items || {}, resolve)}`;
  return [schema.type || "any", schema.format && `(${schema.format})`].filter(Boolean).join(" ");
}

function bounds(schema) {
  const words = {
    minLength: "at least # characters", maxLength: "at most # characters", minimum: "from #", maximum: "to #",
    multipleOf: "in steps of #", minItems: "at least # items", maxItems: "at most # items", default: "default #",
  };
  const all = [schema, ...(schema.anyOf || [])];
  const found = all.flatMap((one) => Object.keys(words).filter((key) => one[key] !== undefined && one[key] !== null)
    .map((key) => words[key].replace("#", JSON.stringify(one[key]))));
  return [...new Set(found)].join(", ");
}

function table(rows) {
  return element("table", {}, element("tbody", {}, ...rows.map(([name, type, ...text]) =>
    element("tr", {}, element("th", { scope: "row" }, element("code", {}, name)),
      element("td", {}, element("code", {}, type)), element("td", {}, ...text)))));
}

function parameters(operation, resolve) {
  const rows = (operation.parameters || []).map(resolve).map((parameter) => [
    parameter.name,
    typeOf(parameter.schema || {}, resolve),
    `${parameter.in}${parameter.required ? ", required" : ""}. `,
    ...inline(parameter.description || ""), " ", bounds(parameter.schema || {}),
  ]);
  return rows.length ? [element("h4", {}, "Parameters"), table(rows)] : [];
}

function fields(schema, resolve, prefix = "") {
  const needed = new Set(schema.required || []);
  return Object.entries(schema.properties || {}).flatMap(([name, property]) => {
    const inner = resolve(property);
    const row = [prefix + name, typeOf(property, resolve), needed.has(name) ? "required. " : "",
      ...inline(property.description || inner.description || ""), " ", bounds(inner)];
    return [row, ...(inner.properties ? fields(inner, resolve, `${prefix}${name}.`) : [])];
  });
}

function json(value) {
  return element("pre", { tabindex: "0" }, element("code", {}, JSON.stringify(value, null, 2)));
}

function requestBody(operation, resolve) {
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  if (!content) return [];
  const schema = resolve(content.schema);
  return [element("h4", {}, "Body"), table(fields(schema, resolve)),
    ...(schema.examples || []).slice(0, 1).map(json)];
}

function responses(operation, resolve) {
  return Object.entries(operation.responses).map(([status, response]) => {
    const shown = resolve(response);
    const examples = Object.values(shown.content || {}).flatMap((content) => {
      if (content.examples) return Object.values(content.examples).map((example) => example.value);
      return (resolve(content.schema).examples || []).slice(0, 1);
    });
    const names = Object.keys(shown.headers || {}).join(", ");
    return element("details", {},
      element("summary", {}, element("code", {}, status), " ", ...inline(shown.description || "")),
      names ? element("p", { class: "soft" }, `Headers: ${names}`) : null, ...examples.map(json));
  });
}

function curl(method, path, operation, resolve) {
  const lines = [`curl -X ${method.toUpperCase()} '${window.location.origin}${path}'`];
  if (operation.security && !operation.security.some((way) => Object.keys(way).length === 0)) {
    lines.push('-H "Authorization: Bearer $(./pickly token alice)"');
  }
  for (const parameter of (operation.parameters || []).map(resolve)) {
    if (parameter.in === "header" && parameter.required) lines.push(`-H '${parameter.name}: ${parameter.example}'`);
  }
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  if (content) {
    const [example] = resolve(content.schema).examples || [{}];
    lines.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(example)}'`);
  }
  return element("pre", { tabindex: "0" }, element("code", {}, lines.join(" \\\n  ")));
}

function operationArticle(method, path, operation, resolve) {
  return element("article", { id: operation.operationId },
    element("h3", {}, element("span", { class: `method ${method}` }, method.toUpperCase()),
      " ", element("code", {}, path)),
    ...prose(operation.description),
    element("p", { class: "soft" }, `Needs ${operation["x-may"]}, costs ${operation["x-cost"]}.`),
    curl(method, path, operation, resolve),
    ...parameters(operation, resolve), ...requestBody(operation, resolve),
    element("h4", {}, "Answers"), ...responses(operation, resolve));
}

function show(spec) {
  const resolve = resolver(spec);
  document.title = `${spec.info.title} API`;
  document.getElementById("title").textContent = `${spec.info.title} API`;
  document.getElementById("summary").textContent = spec.info.summary || "";
  document.getElementById("description").replaceChildren(...prose(spec.info.description));
  const contents = document.getElementById("contents");
  const main = document.getElementById("operations");
  main.replaceChildren();
  for (const tag of spec.tags) {
    const list = element("ul", {}, element("li", {}, element("strong", {}, tag.name)));
    main.append(element("h2", {}, tag.name), ...prose(tag.description));
    for (const [path, item] of Object.entries(spec.paths)) {
      for (const method of METHODS.filter((name) => item[name] && item[name].tags.includes(tag.name))) {
        const operation = item[method];
        main.append(operationArticle(method, path, operation, resolve));
        list.append(element("li", {}, element("a", { href: `#${operation.operationId}` },
          element("span", { class: `method ${method}` }, method.toUpperCase()), " ", operation.summary)));
      }
    }
    contents.append(list);
  }
  if (window.location.hash) document.getElementById(window.location.hash.slice(1))?.scrollIntoView();
}

fetch("/openapi.json").then((answer) => answer.json()).then(show).catch((error) => {
  document.getElementById("operations").textContent = `/openapi.json could not be shown: ${error}`;
});
