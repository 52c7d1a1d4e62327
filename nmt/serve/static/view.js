// What a translation looks like: its words, its attention as a table, its search as a tree.

const FLAGS = {
  repetition: "It repeats words that the text does not repeat.",
  length: "It is much longer or shorter than such a text should be.",
  uncovered: "Some words of the text were not looked at; they may be missing.",
  copied: "Nearly all of it is copied from the text.",
  numbers: "The numbers differ from those of the text.",
  improbable: "The model itself finds it unlikely.",
};

export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith("--")) element.style.setProperty(key, value);
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

export const percent = (share) => `${Math.round(share * 100)} %`;

// A word inside a sentence of the page, whatever its direction is.
export const isolate = (word) => `\u2068${word}\u2069`;

// The name of a language, in that of the page; its code if the browser knows none.
export function languageName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language", fallback: "code" }).of(code);
  } catch {
    return code;
  }
}

const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;

// The direction of a text is that of its first letter. `dir="auto"` does not see letters inside isolated words.
const directionOf = (text) => (RIGHT_TO_LEFT.test(text.match(/\p{L}/u)?.[0] ?? "") ? "rtl" : "ltr");

// A word by itself; a sign that has no direction of its own, such as a bracket, takes that of the text.
const isolated = (word, direction) => make("bdi", /\p{L}/u.test(word) ? {} : { dir: direction }, word);

function sureness(probability) {
  if (probability < 0.3) return ["unsure2", "very unsure"];
  if (probability < 0.6) return ["unsure1", "unsure"];
  return ["", "sure"];
}

// The words as buttons between which the text stays as it is. `act` gets what happens to a word.
export function showWords(place, line, number, act, other) {
  const words = line.details?.target ?? []; // an empty line has none
  if (!place.textContent.trim()) place.dir = directionOf(line.text);
  const known = other && new Set((other.details?.target ?? []).map((word) => word.text));
  const buttons = [];
  let end = 0;
  words.forEach((word, index) => {
    place.append(line.text.slice(end, word.start16));
    const [mark, said] = sureness(word.confidence ?? word.probability);
    const different = known && !known.has(word.text) ? " different" : "";
    const label = `${word.text}, ${said}, ${percent(word.confidence ?? word.probability)}${different ? ", only here" : ""}`;
    const button = make("button", { type: "button", class: `word ${mark}${different}`, title: word.confidence === null ? `${said}: ${percent(word.probability)}` : `${said}: right with ${percent(word.confidence)} (probability ${percent(word.probability)})`, "aria-label": label, "data-line": number, tabindex: index ? "-1" : "0",
      onmouseenter: () => act.look(line, number, index), onfocus: () => act.look(line, number, index), onmouseleave: () => act.leave(),
      onclick: () => act.choose(line, number, index),
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        const next = buttons[index + (getComputedStyle(place).direction === "rtl" ? -step : step)];
        if (next) { button.tabIndex = -1; next.tabIndex = 0; next.focus(); }
      } }, isolated(word.text, place.dir));
    buttons.push(button);
    place.append(button);
    end = word.end16;
  });
  place.append(line.text.slice(end));
  return buttons;
}

// The text with the words that a word of the translation looked at; other lines stand before and after.
export function showSource(place, line, row, before = "", after = "") {
  const words = line.details.source;
  place.replaceChildren(before);
  place.dir = directionOf(before + line.source);
  let end = 0;
  words.forEach((word, index) => {
    const much = row?.[index] ?? 0;
    place.append(line.source.slice(end, word.start16), make("span", { class: much >= 0.1 ? "w lit" : "w", "--much": much }, isolated(word.text, place.dir)));
    end = word.end16;
  });
  place.append(line.source.slice(end) + after);
}

export function rowOf(line, index) {
  if (line.attention.length) return line.attention[index];
  const part = line.attention_parts.findLast((each) => each.target <= index);
  if (!part) return undefined;
  return [...Array(part.source).fill(0), ...part.attention[index - part.target] ?? []];
}

export function showFlags(place, line) {
  place.textContent = line.flags.map((name) => `⚠ ${FLAGS[name] ?? name}`).join(" ");
}

// What can be shown as a table: [name, said, {source, target, weights, words: whether rows are the words of the text}].
export function viewsOf(line) {
  if (!line.attention.length || !line.target_words.length) return [];
  const words = (weights) => ({ source: line.source_words, target: line.target_words, weights, words: true });
  const links = line.target_words.map((_, target) => line.source_words.map((_, source) => Number(line.alignment.some(([from, to]) => from === source && to === target))));
  return [
    ["words", "words", words(line.attention)],
    ...(line.pieces ? [["pieces", "subwords", { source: line.pieces.source, target: line.pieces.target, weights: line.pieces.attention, words: false }]] : []),
    ["alignment", "alignment: who stands for whom", words(links)],
    ...(line.heads ?? []).map((weights, index) => [`head${index + 1}`, `head ${index + 1} of ${line.heads.length}`, words(weights)]),
  ];
}

// A table of numbers: one cell has the focus, and arrows move it. `act` gets the row that is looked at.
export function showMap(place, line, view, act) {
  place.replaceChildren();
  if (!view) return false;
  const caption = make("caption", { "aria-live": "polite" });
  const head = make("tr", {}, make("td", { "--much": 0 }), ...view.source.map((word) => make("th", { scope: "col" }, make("bdi", {}, word))));
  const look = (target) => { if (view.words) act?.(target); };
  const cells = view.weights.map((row, target) => row.map((weight, source) => {
    const cell = make("td", { class: weight > 0.5 ? "strong" : weight < 0.005 ? "none" : "", "--much": weight, tabindex: target + source ? "-1" : "0",
      onfocus: () => { say(target, source); look(target); },
      onmouseenter: () => { say(target, source); look(target); },
      onkeydown: (event) => {
        const [down, across] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [0, 0];
        const next = cells[target + down]?.[source + across];
        if (!next || next === cell) return;
        event.preventDefault();
        cell.tabIndex = -1; next.tabIndex = 0; next.focus();
      } }, String(Math.round(weight * 100)));
    return cell;
  }));
  const say = (target, source) => {
    caption.textContent = `${isolate(view.target[target])} ← ${isolate(view.source[source])}: ${percent(view.weights[target][source])}`;
  };
  const rows = cells.map((row, index) => make("tr", {}, make("th", { scope: "row" }, make("bdi", {}, view.target[index])), ...row));
  place.append(make("table", { class: "map" }, caption, make("thead", {}, head), make("tbody", {}, ...rows)));
  return true;
}

const SIGNS = { lived: ["●", "kept"], ended: ["■", "ended"], pruned: ["×", "dropped"] };
const BYTE = /^<0x([0-9A-F]{2})>$/; // a token that is one byte of a character

// The text of tokens; bytes at the end that are no whole character are left out.
function textOfTokens(tokens) {
  const bytes = tokens.flatMap((token) => {
    const byte = BYTE.exec(token);
    return byte ? [parseInt(byte[1], 16)] : [...new TextEncoder().encode(token.replaceAll("▁", " "))];
  });
  return new TextDecoder().decode(new Uint8Array(bytes)).replace(/\uFFFD+$/, "");
}

// A token as a word of its own, or with … where it continues a word.
function tokenName(token, spaced) {
  const byte = BYTE.exec(token);
  if (!byte) return `${spaced && /^\p{L}/u.test(token) ? "…" : ""}${token.replaceAll("▁", " ").trim() || "␣"}`;
  return parseInt(byte[1], 16) < 0x80 ? textOfTokens([token]) : `byte ${byte[1]}`;
}

// The search: each token of the translation, and below it what else the beam looked at in its place. `begin` gets the
// text from which the user wants to go on.
export function showTree(place, nodes, begin) {
  place.replaceChildren();
  if (!nodes.length) return;
  const children = nodes.map(() => []);
  nodes.forEach((node, index) => { if (node.parent >= 0) children[node.parent].push(index); });
  const spaced = nodes.filter((node) => node.text.startsWith("▁")).length > nodes.length / 5; // words have spaces between them
  const tokensOf = (index) => (nodes[index].parent < 0 ? [] : [...tokensOf(nodes[index].parent), nodes[index].text]);
  const draw = (index, nested) => {
    const node = nodes[index];
    const [sign, said] = SIGNS[node.fate];
    const text = node.fate === "ended" ? "end of sentence" : tokenName(node.text, spaced);
    const share = Math.exp(node.log_prob);
    const label = [make("span", { "aria-hidden": "true", class: "sign" }, sign), make("bdi", {}, text), make("span", { class: "number" }, `${said}${node.best ? ", chosen" : ""}, ${share < 0.005 ? "under 1 %" : percent(share)}`)];
    const row = make("div", { class: "node" });
    const item = make("li", { class: node.best ? "best" : "" }, row);
    if (nested && children[index].length) {
      const list = make("ul", { hidden: "" });
      const toggle = make("button", { type: "button", "aria-expanded": "false", onclick: () => {
        if (!list.childElementCount) list.append(...children[index].map((child) => draw(child, true)));
        list.hidden = !list.hidden;
        toggle.setAttribute("aria-expanded", String(!list.hidden));
      } }, ...label);
      row.append(toggle);
      item.append(list);
    } else {
      row.append(make("span", { class: "leaf" }, ...label));
    }
    if (node.fate !== "ended") row.append(make("button", { type: "button", class: "go", "aria-label": `Go on from ${text}`, onclick: () => begin(textOfTokens(tokensOf(index)).trimStart()) }, "go on"));
    return item;
  };
  for (let root = 0; root !== undefined && children[root].length; root = children[root].find((index) => nodes[index].best)) {
    const best = children[root].find((index) => nodes[index].best);
    const others = children[root].filter((index) => index !== best).map((index) => draw(index, true));
    const step = best === undefined ? make("li", {}) : draw(best, false);
    if (others.length) step.append(make("ul", {}, ...others));
    place.append(step);
  }
}
