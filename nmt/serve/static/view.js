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

const percent = (share) => `${Math.round(share * 100)} %`;

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
export function showWords(place, line, act, other) {
  const words = line.details.target;
  if (!place.childNodes.length) place.dir = directionOf(line.text);
  const known = other && new Set(other.details.target.map((word) => word.text));
  const buttons = [];
  let end = 0;
  words.forEach((word, index) => {
    place.append(line.text.slice(end, word.start16));
    const [mark, said] = sureness(word.confidence ?? word.probability);
    const different = known && !known.has(word.text) ? " different" : "";
    const label = `${word.text}, ${said}, ${percent(word.confidence ?? word.probability)}${different ? ", only here" : ""}`;
    const button = make("button", { type: "button", class: `word ${mark}${different}`, title: word.confidence === null ? `${said}: ${percent(word.probability)}` : `${said}: right with ${percent(word.confidence)} (probability ${percent(word.probability)})`, "aria-label": label, tabindex: index ? "-1" : "0",
      onmouseenter: () => act.look(line, index), onfocus: () => act.look(line, index), onmouseleave: () => act.leave(),
      onclick: () => act.choose(line, index),
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

// The text with the words that a word of the translation looked at.
export function showSource(place, line, row) {
  const words = line.details.source;
  place.replaceChildren();
  place.dir = directionOf(line.source);
  let end = 0;
  words.forEach((word, index) => {
    const much = row?.[index] ?? 0;
    place.append(line.source.slice(end, word.start16), make("span", { class: much >= 0.1 ? "w lit" : "w", "--much": much }, isolated(word.text, place.dir)));
    end = word.end16;
  });
  place.append(line.source.slice(end));
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

// A table of numbers: one cell has the focus, and arrows move it.
export function showMap(place, line, view, act) {
  place.replaceChildren();
  if (!view) return false;
  const caption = make("caption", { "aria-live": "polite" });
  const head = make("tr", {}, make("td", { "--much": 0 }), ...view.source.map((word) => make("th", { scope: "col" }, make("bdi", {}, word))));
  const look = (target) => { if (view.words) act?.look(line, target); };
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
    caption.textContent = `${view.target[target]} ← ${view.source[source]}: ${percent(view.weights[target][source])}`;
  };
  const rows = cells.map((row, index) => make("tr", {}, make("th", { scope: "row" }, make("bdi", {}, view.target[index])), ...row));
  place.append(make("table", { class: "map" }, caption, make("thead", {}, head), make("tbody", {}, ...rows)));
  return true;
}

const SIGNS = { lived: ["●", "kept"], ended: ["■", "ended"], pruned: ["×", "dropped"] };

export function showTree(place, nodes, act) {
  place.replaceChildren();
  const children = nodes.map(() => []);
  nodes.forEach((node, index) => { if (node.parent >= 0) children[node.parent].push(index); });
  const textOf = (index) => (index < 0 ? "" : textOf(nodes[index].parent) + nodes[index].text.replaceAll("▁", " "));
  const draw = (index) => {
    const node = nodes[index];
    const [sign, said] = SIGNS[node.fate];
    const text = node.fate === "ended" ? "end of sentence" : node.text.replaceAll("▁", " ").trim() || "␣";
    const share = Math.exp(node.log_prob);
    const label = [make("span", { "aria-hidden": "true" }, `${sign} `), make("bdi", {}, text), make("span", { class: "number" }, `${said}${node.best ? ", chosen" : ""}, ${percent(share) === "0 %" ? "under 1 %" : percent(share)}`)];
    if (node.fate !== "ended") label.push(make("button", { type: "button", "aria-label": `Go on from ${text}`, onclick: (event) => { event.preventDefault(); act.begin(textOf(index).trimStart()); } }, "go on from here"));
    const item = make("li", { class: node.best ? "best" : "" });
    if (!children[index].length) { item.append(make("div", { class: "leaf" }, ...label)); return item; }
    const list = make("ul");
    const fill = () => { if (!list.childElementCount) list.append(...children[index].map(draw)); };
    const buttons = label.length > 3 ? label.splice(3) : [];
    const details = make("details", { ontoggle: fill }, make("summary", {}, ...label), list);
    if (node.best) { details.open = true; fill(); }
    item.append(...buttons, details);
    return item;
  };
  place.append(...children[0].map(draw));
}
