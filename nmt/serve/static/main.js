// The page: reads what is typed, asks the server, shows what it says.

import { get, learning, translate, translateWhole } from "./api.js";
import { isolate, languageName, make, percent, rowOf, showFlags, showMap, showSource, showTree, showWords, viewsOf } from "./view.js";

const PAUSE = 350; // ms after the last key
const CHUNK = 50; // lines of a file in a request
const $ = (selector) => document.querySelector(selector);
const source = $("#source");
const mirror = $("#mirror"); // lies over the text, and has the same words with their attention

let runs = [];
let prefixes = []; // what the translation of each line begins with, where the user chose it
let current = 0; // the line whose attention and search are shown
let lookAgain = null; // [line, word] that gets the focus when the next translation is there
let wholeFiles = []; // endings of files that the server translates as a whole
let composing = false;
let timer = 0;
let asking = new AbortController();
let shown = null;
let fileName = "";
let fileContent = null;

const sides = ["left", "right"].map((name) => {
  const box = $(`#settings-${name}`);
  return { box, out: $(`#${name}`), run: box.querySelector(".run"), beam: box.querySelector(".beam"), penalty: box.querySelector(".penalty") };
});

function say(text, wrong = false) {
  $("#said").textContent = text;
  $("#said").classList.toggle("wrong", wrong);
}

function labels() {
  for (const { box, beam, penalty } of sides) {
    box.querySelector(".beam-value").textContent = beam.value;
    box.querySelector(".penalty-value").textContent = penalty.value;
  }
  const run = runs.find((each) => each.name === sides[0].run.value) ?? runs[0];
  if (run) {
    const [from, to] = [languageName(run.source), languageName(run.target)];
    $("#direction").textContent = `${from} → ${to}`;
    document.title = `${from} → ${to}: nmt`;
    $("#source-language").textContent = from;
    $("#left .language").textContent = to;
    source.lang = run.source;
    mirror.lang = run.source;
    $("#example").hidden = !run.example || Boolean(source.value);
    sides.forEach((side) => { side.out.querySelector(".output").lang = run.target; });
  }
  $("#calibrated").textContent = run?.calibrated ? ", by confidence that was calibrated on its validation text" : "";
  sides[1].box.hidden = sides[1].out.hidden = !$("#compare").checked;
}

function remember() {
  const state = { text: source.value, run: sides[0].run.value, beam: sides[0].beam.value, penalty: sides[0].penalty.value };
  prefixes.forEach((begun, number) => { if (begun) state[number ? `prefix${number}` : "prefix"] = begun; });
  if ($("#compare").checked) Object.assign(state, { run2: sides[1].run.value, beam2: sides[1].beam.value, penalty2: sides[1].penalty.value });
  history.replaceState(null, "", `#${new URLSearchParams(state)}`);
}

function restore() {
  const state = new URLSearchParams(location.hash.slice(1));
  const text = state.get("text") ?? "";
  source.value ||= text; // what was typed while the page loaded stays
  prefixes = source.value.split("\n").map((_, number) => (source.value === text && state.get(number ? `prefix${number}` : "prefix")) || "");
  const set = (input, name) => { if (state.has(name)) input.value = state.get(name); };
  sides.forEach((side, index) => {
    const end = index ? "2" : "";
    set(side.run, `run${end}`); set(side.beam, `beam${end}`); set(side.penalty, `penalty${end}`);
  });
  $("#compare").checked = state.has("run2");
}

function askedOf(side, text, begun = []) {
  const asked = { text, run: side.run.value, alternatives: 5, trace: true, heads: true, pieces: true, decoding: { beam_size: Number(side.beam.value), length_penalty: Number(side.penalty.value) } };
  if (begun.some(Boolean)) asked.prefix = text.map((_, number) => begun[number] ?? "");
  return asked;
}

// Ends what is being asked, and what would be asked in a moment because something was typed.
function begin() {
  clearTimeout(timer);
  asking.abort();
  asking = new AbortController();
  return asking.signal;
}

async function ask() {
  const signal = begin();
  labels();
  remember();
  fileContent = null;
  $("#free").hidden = !prefixes.some(Boolean);
  $("#count").textContent = source.value ? `${[...source.value].length} characters` : "";
  if (!source.value.trim()) { clear(); return; }
  say("Translating …");
  try {
    const found = [];
    for (const side of $("#compare").checked ? sides : sides.slice(0, 1)) { // one after the other, so that times compare
      const answer = await translate(askedOf(side, source.value.split("\n"), prefixes), signal);
      found.push({ ...answer, lines: answer.translations.map(([line]) => line) });
      if (signal.aborted) return;
    }
    show(found);
    learn();
    const begun = prefixes.filter(Boolean);
    say(begun.length ? `Goes on from ${begun.map((text) => `“${isolate(text)}”`).join(", ")}` : "");
  } catch (error) {
    if (error.name !== "AbortError") say(error.message === "Failed to fetch" ? "The server does not answer; is it still running?" : error.message, true);
  }
}

function clear() {
  for (const { out } of sides) for (const part of out.querySelectorAll(".output, .facts, .flags, .title")) part.textContent = "";
  shown = null;
  $("#attention").hidden = $("#words").hidden = true;
  $("#tree").replaceChildren();
  $("#learning").hidden = $("#search").hidden = true;
  $("#hint").hidden = false;
  act.leave();
  say("");
}

function show(found) {
  shown = found;
  $("#words").hidden = $("#hint").hidden = true;
  found.forEach((answer, index) => {
    const { out, beam, penalty } = sides[index];
    const place = out.querySelector(".output");
    place.replaceChildren();
    answer.lines.forEach((line, number) => {
      if (number) place.append("\n");
      showWords(place, line, number, act, found[1 - index]?.lines[number]);
    });
    const facts = [`${Math.round(answer.seconds * 1000)} ms`];
    if (answer.lines.length === 1 && answer.lines[0].text) {
      const { confidence, probability } = answer.lines[0].details;
      facts.push(`score ${answer.lines[0].score.toFixed(2).replace("-", "−")}`);
      facts.push(typeof confidence === "number" ? `about ${percent(confidence)} of the words right` : `${percent(probability)} a token`);
    }
    if (index && answer.lines.every((line, number) => line.text === found[0].lines[number].text)) facts.push("the same translation");
    out.querySelector(".title").textContent = found.length > 1 ? `${answer.run}, beam ${beam.value}, length penalty ${penalty.value}` : "";
    out.querySelector(".facts").textContent = facts.join(", ");
    showFlags(out.querySelector(".flags"), { flags: [...new Set(answer.lines.flatMap((line) => line.flags))] });
  });
  const { lines } = found[0];
  if (lookAgain) {
    const [number, index] = lookAgain;
    const words = sides[0].out.querySelectorAll(`.word[data-line="${number}"]`);
    words[Math.min(index, words.length - 1)]?.focus();
    lookAgain = null;
  }
  if (!lines[current]?.text) current = Math.max(0, lines.findIndex((line) => line.text));
  showLine();
}

// Attention and search of one line; a text of several lines says which.
function showLine() {
  const { lines } = shown[0];
  const line = lines[current];
  for (const place of document.querySelectorAll(".of-line")) place.textContent = lines.length > 1 ? `, line ${current + 1}` : "";
  showViews(line);
  const trace = line.details?.trace ?? [];
  $("#search").hidden = !trace.length;
  showTree($("#tree"), trace, (text) => act.begin(current, text));
}

// The table of attention: between words or subwords, aligned words, or one head.
function showViews(line) {
  const views = line ? viewsOf(line) : [];
  const chosen = $("#view").value;
  $("#view").replaceChildren(...views.map(([name, said]) => make("option", { value: name }, said)));
  const [name, , view] = views.find(([each]) => each === chosen) ?? views[0] ?? [];
  if (name) $("#view").value = name;
  $("#attention").hidden = !showMap($("#map"), line, view, (index) => act.look(line, current, index));
}

// The text as the snapshots of the model translate it.
let learnt = [];
let learningOf = "";

async function learn() {
  const run = runs.find((each) => each.name === sides[0].run.value);
  const text = source.value;
  $("#learning").hidden = !run?.snapshots.length || text.includes("\n") || !text.trim();
  if ($("#learning").hidden || !$("#learning").open || learningOf === `${run.name} ${text}`) return;
  learningOf = `${run.name} ${text}`;
  try {
    learnt = (await learning({ text, run: run.name })).steps;
    if (source.value !== text) return;
    $("#step").max = learnt.length - 1;
    $("#step").value = learnt.length - 1;
    drawSteps(run.target);
    showStep(learnt.length - 1);
  } catch (error) {
    say(error.message, true);
  }
}

const stepName = (index) => (learnt[index].step === null ? "the kept model" : `step ${learnt[index].step.toLocaleString("en")}`);

function drawSteps(language) {
  const rows = learnt.map(({ translation }, index) => {
    const before = index ? new Set(learnt[index - 1].translation.target_words) : null;
    const cell = make("td", { dir: "auto", lang: language });
    let end = 0;
    translation.details?.target.forEach((word) => {
      cell.append(translation.text.slice(end, word.start16), before && !before.has(word.text) ? make("mark", {}, word.text) : word.text);
      end = word.end16;
    });
    cell.append(translation.text.slice(end));
    return make("tr", {}, make("th", { scope: "row" }, make("button", { type: "button", onclick: () => { $("#step").value = index; showStep(index); } }, stepName(index))), cell);
  });
  $("#steps").replaceChildren(make("table", {}, make("caption", { class: "quiet" }, "Words that were not there at the step before are marked."), make("tbody", {}, ...rows)));
}

function showStep(index) {
  const { translation } = learnt[index];
  $("#step-value").textContent = stepName(index);
  $("#step").setAttribute("aria-valuetext", stepName(index));
  $("#learnt").textContent = translation.text || "(empty)";
  showMap($("#learnt-map"), translation, viewsOf(translation)[0]?.[2]);
  [...$("#steps").querySelectorAll("tr")].forEach((row, place) => row.classList.toggle("now", place === index));
}

const act = {
  look(line, number, index) {
    const row = rowOf(line, index);
    const lines = source.value.split("\n");
    if (!row || line.source !== lines[number]) return;
    const before = lines.slice(0, number).map((each) => `${each}\n`).join("");
    showSource(mirror, line, row, before, lines.slice(number + 1).map((each) => `\n${each}`).join(""));
    mirror.hidden = false;
    mirror.scrollTop = source.scrollTop;
    source.classList.add("under");
    const best = row.indexOf(Math.max(...row));
    if (row[best] > 0) say(`${isolate(line.details.target[index].text)} ← ${isolate(line.source_words[best])}: ${percent(row[best])}`);
  },
  leave() {
    mirror.hidden = true;
    source.classList.remove("under");
  },
  choose(line, number, index) {
    const word = line.details.target[index];
    const chosen = (other) => other.text === word.text;
    $("#chosen").textContent = word.text;
    $("#words").onkeydown = (event) => {
      if (event.key !== "Escape") return;
      $("#words").hidden = true;
      sides[0].out.querySelectorAll(`.word[data-line="${number}"]`)[index]?.focus();
    };
    $("#others").replaceChildren(...word.alternatives.map((other) =>
      make("li", {}, make("button", { type: "button", ...(chosen(other) ? { "aria-current": "true" } : {}), onclick: () => act.begin(number, other.prefix, index) },
        make("bdi", {}, other.text || "end of sentence"), make("span", { class: "quiet" }, ` ${other.probability < 0.001 ? "under 0.1" : (other.probability * 100).toFixed(other.probability < 0.1 ? 1 : 0)} %`)))));
    $("#words").hidden = false;
    if (number !== current) { current = number; showLine(); }
    $("#others button")?.focus();
  },
  begin(number, text, index = 0) {
    prefixes[number] = text;
    lookAgain = [number, index];
    ask();
  },
};

function typed() {
  act.leave();
  if (composing) return;
  prefixes = [];
  $("#example").hidden = true;
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE);
}

// A file whose format the server knows, such as PO or subtitles: it comes back with translations filled in.
async function translateDocument(file) {
  const run = runs.find((each) => each.name === sides[0].run.value) ?? runs[0];
  const signal = begin();
  say(`${file.name}: translating …`);
  try {
    const { content, notes } = await translateWhole(file, run, signal);
    source.value = "";
    prefixes = [];
    clear();
    [fileName, fileContent] = [file.name, content];
    sides[0].out.querySelector(".output").textContent = notes.join("\n");
    $("#hint").hidden = true;
    say(`${file.name}: translated; Download saves it`);
  } catch (error) {
    if (error.name !== "AbortError") say(`${file.name}: ${error.message}`, true);
  }
}

async function translateFile(file) {
  if (wholeFiles.some((ending) => file.name.toLowerCase().endsWith(ending))) { await translateDocument(file); return; }
  const signal = begin();
  const text = await file.text();
  if (text.includes("\uFFFD")) { say(`${file.name}: is not text in UTF-8; save it as UTF-8`, true); return; }
  const lines = text.replaceAll("\r\n", "\n").replace(/\n$/, "").split("\n");
  const bar = $("#progress");
  const done = [];
  bar.hidden = false;
  try {
    for (let start = 0; start < lines.length; start += CHUNK) {
      const asked = { ...askedOf(sides[0], lines.slice(start, start + CHUNK)), alternatives: 0, trace: false, heads: false, pieces: false };
      const { translations } = await translate(asked, signal);
      done.push(...translations.map((each) => each.map((line) => line.text).join(" ")));
      bar.value = done.length / lines.length;
      say(`${file.name}: ${done.length} of ${lines.length} lines`);
    }
    source.value = "";
    prefixes = [];
    clear();
    [fileName, fileContent] = [file.name, `${done.join("\n")}\n`];
    $("#hint").hidden = true;
    sides[0].out.querySelector(".output").dir = "auto";
    sides[0].out.querySelector(".output").textContent = done.slice(0, 20).join("\n") + (done.length > 20 ? "\n…" : "");
    say(`${file.name}: all ${done.length} lines are translated; Download saves them`);
  } catch (error) {
    if (error.name !== "AbortError") say(`${file.name}: ${error.message}`, true);
  }
  bar.hidden = true;
}

const result = () => fileContent ?? shown?.[0].lines.map((line) => line.text).join("\n") ?? "";

async function copy(text, what) {
  if (!text) { say("There is no translation yet; type a text first", true); return; }
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} copied`);
  } catch {
    say("The browser does not allow copying here; select the text instead", true);
  }
}

source.addEventListener("compositionstart", () => { composing = true; clearTimeout(timer); });
source.addEventListener("compositionend", () => { composing = false; typed(); });
source.addEventListener("input", (event) => { if (!event.isComposing) typed(); });
$(".texts").addEventListener("focusout", act.leave);
for (const side of sides) for (const input of [side.run, side.beam, side.penalty]) input.addEventListener("input", () => { labels(); clearTimeout(timer); timer = setTimeout(ask, PAUSE); });
$("#compare").addEventListener("change", ask);
$("#view").addEventListener("change", () => { if (shown) showViews(shown[0].lines[current]); });
$("#step").addEventListener("input", () => showStep(Number($("#step").value)));
$("#learning").addEventListener("toggle", learn);
$("#free").addEventListener("click", () => { prefixes = []; ask(); });
$("#example").addEventListener("click", () => {
  source.value = (runs.find((each) => each.name === sides[0].run.value) ?? runs[0]).example;
  source.focus();
  typed();
});
$("#copy").addEventListener("click", async () => { const found = result(); copy(typeof found === "string" ? found : await found.text(), "Translation"); });
$("#link").addEventListener("click", () => { remember(); copy(location.href, "Link"); });
$("#download").addEventListener("click", () => {
  if (!result()) { say("There is no translation yet; type a text first", true); return; }
  const url = URL.createObjectURL(new Blob([result()], { type: "text/plain" }));
  make("a", { href: url, download: fileContent ? `translated-${fileName}` : "translation.txt" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
});
$("#open").addEventListener("click", () => $("#file").click());
$("#file").addEventListener("change", (event) => { if (event.target.files[0]) translateFile(event.target.files[0]); });
const drop = source.parentElement;
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("dropping"); });
drop.addEventListener("dragleave", () => drop.classList.remove("dropping"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("dropping");
  if (event.dataTransfer.files[0]) translateFile(event.dataTransfer.files[0]);
});

try {
  runs = await get("v1/runs");
  wholeFiles = (await get("frontend/settings")).supportedFilesFormat.filter((ending) => ending !== ".txt");
  $("#file").accept = [".txt", "text/plain", ...wholeFiles].join(",");
  for (const side of sides) {
    side.run.replaceChildren(...runs.map((run) => make("option", { value: run.name }, run.name)));
    side.beam.value = runs[0].beam_size;
    side.penalty.value = runs[0].length_penalty;
  }
  sides[1].beam.value = 1;
  restore();
  await ask();
} catch (error) {
  say(error.message, true);
}
document.body.dataset.ready = "true";
