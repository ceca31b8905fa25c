"use strict";
// The browser of errors. The filters live in the address (#task=NER&kind=missed), so that a view can be linked to.
const data = JSON.parse(document.getElementById("data").textContent);
const [ID, SOURCE, GROUP, TEXT] = [0, 1, 2, 3]; // a sentence
const [SENTENCE, TASK, KIND, GOLD, PREDICTED, DETAIL] = [0, 1, 2, 3, 4, 5]; // an error
const PAGE = 25;
const form = document.getElementById("filters");
const fields = ["system", "task", "kind", "source", "group", "class", "q"];
const view = { page: 1, found: [] };
const searchable = []; // lower-case text of each sentence, made when first searched

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function chosenSystem() {
  const filled = data.errors.findIndex((errors) => errors.length > 0);
  return Number(form.elements.system.value || Math.max(filled, 0));
}

function classesOf(error) {
  return [error[GOLD], error[PREDICTED]].filter(Boolean).map((item) => item[0]);
}

// -- filters ---------------------------------------------------------------------------------------------------------

function fillSelect(name, values, any) {
  const select = form.elements[name];
  select.replaceChildren(...(any ? [new Option(any, "")] : []), ...values.map(([value, label]) => new Option(label, value)));
  select.closest("label").hidden = values.length < 2;
}

function fillFilters() {
  fillSelect("system", data.systems.map((name, i) => [i, name]).filter(([i]) => data.errors[i].length));
  fillForSystem();
}

function fillForSystem() {
  const errors = data.errors[chosenSystem()] || [];
  const names = (of) => [...new Set(errors.flatMap(of))].filter(Boolean).sort().map((name) => [name, name]);
  fillSelect("task", names((e) => [e[TASK]]), "all");
  fillSelect("kind", names((e) => [data.kinds[e[KIND]]]), "all");
  fillSelect("source", names((e) => [data.sentences[e[SENTENCE]][SOURCE]]), "all");
  fillSelect("group", names((e) => [data.sentences[e[SENTENCE]][GROUP]]), "all");
  fillSelect("class", names(classesOf), "all");
}

function matches(error, wanted) {
  const sentence = data.sentences[error[SENTENCE]];
  if (wanted.task && error[TASK] !== wanted.task) return false;
  if (wanted.kind && data.kinds[error[KIND]] !== wanted.kind) return false;
  if (wanted.source && sentence[SOURCE] !== wanted.source) return false;
  if (wanted.group && sentence[GROUP] !== wanted.group) return false;
  if (wanted.class && !classesOf(error).includes(wanted.class)) return false;
  return !wanted.q || contains(error, wanted.q);
}

function contains(error, query) {
  const place = error[SENTENCE];
  searchable[place] ??= (data.sentences[place][ID] + "\n" + data.sentences[place][TEXT]).toLowerCase();
  if (searchable[place].includes(query)) return true;
  const items = [error[GOLD], error[PREDICTED]].filter(Boolean);
  return error[DETAIL].toLowerCase().includes(query) || items.some((item) => spell(item).toLowerCase().includes(query));
}

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const known = [...fields, "page"].some((name) => given.has(name));
  if (given.has("system")) form.elements.system.value = given.get("system");
  fillForSystem();
  for (const name of fields.slice(1)) setField(name, given.get(name) || "");
  view.page = Math.max(1, Number(given.get("page")) || 1);
  return known;
}

function setField(name, value) {
  const field = form.elements[name];
  // A value that no error has is kept as an option: it shows no rows instead of all.
  if (value && field.options && ![...field.options].some((option) => option.value === value)) field.add(new Option(value, value));
  field.value = value;
}

function writeAddress() {
  const now = new URLSearchParams();
  for (const name of fields) if (form.elements[name].value && !(name === "system" && chosenSystem() === 0)) now.set(name, form.elements[name].value);
  if (view.page > 1) now.set("page", view.page);
  history.replaceState(null, "", "#" + (now.toString() || "errors"));
}

function search() {
  const wanted = Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
  wanted.q = wanted.q.trim().toLowerCase();
  view.found = (data.errors[chosenSystem()] || []).filter((error) => matches(error, wanted));
  draw();
}

// -- rows ------------------------------------------------------------------------------------------------------------

function draw() {
  const errors = data.errors[chosenSystem()] || [];
  const pages = Math.max(1, Math.ceil(view.found.length / PAGE));
  view.page = Math.min(view.page, pages);
  const count = document.getElementById("count");
  count.textContent = `${view.found.length} of ${errors.length} errors`;
  count.dataset.count = view.found.length;
  document.getElementById("page").textContent = `page ${view.page} of ${pages}`;
  document.getElementById("back").disabled = view.page === 1;
  document.getElementById("next").disabled = view.page === pages;
  const shown = view.found.slice((view.page - 1) * PAGE, view.page * PAGE);
  document.getElementById("rows").replaceChildren(...shown.map(drawError));
}

function drawError(error) {
  const sentence = data.sentences[error[SENTENCE]];
  const about = [error[TASK], sentence[SOURCE], sentence[GROUP], sentence[ID]].filter(Boolean).join(" · ");
  const row = element("li", {}, element("p", { className: "about" }, element("b", {}, data.kinds[error[KIND]]), " " + about));
  row.append(element("p", { className: "sentence", dir: "auto" }, ...highlight(sentence[TEXT], error[GOLD], error[PREDICTED])));
  for (const [name, item] of [["gold", error[GOLD]], ["predicted", error[PREDICTED]]]) {
    if (item) row.append(element("p", { className: "answer" }, element("i", {}, name), spell(item)));
  }
  if (error[DETAIL]) row.append(element("p", { className: "answer" }, element("i", {}, "problem"), error[DETAIL]));
  return row;
}

function spell([type, parts]) {
  const only = parts.length === 1;
  return `${type}(${parts.map(([part, text]) => (only ? "" : part + "=") + JSON.stringify(text)).join(", ")})`;
}

// Offsets count characters (code points), as errors.jsonl does; a string of JavaScript counts UTF-16 units.
function highlight(text, gold, predicted) {
  const characters = Array.from(text);
  const spans = [["gold", gold], ["predicted", predicted]].flatMap(([side, item]) =>
    (item ? item[1] : []).filter((part) => part[2] !== null).map(([part, , start, end]) => ({ side, part, start, end })));
  const cuts = [...new Set([0, characters.length, ...spans.flatMap(({ start, end }) => [start, end])])].sort((a, b) => a - b);
  return cuts.slice(0, -1).map((start, i) => {
    const piece = characters.slice(start, cuts[i + 1]).join("");
    const over = spans.filter((span) => span.start <= start && span.end >= cuts[i + 1]);
    if (!over.length) return piece;
    const sides = [...new Set(over.map((span) => span.side))];
    const title = over.map((span) => `${span.side}: ${span.part}`).join(", ");
    const mark = element("mark", { className: sides.join(" "), title }, piece);
    Object.assign(mark.dataset, { start, end: cuts[i + 1] });
    return mark;
  });
}

// -- events ----------------------------------------------------------------------------------------------------------

function turn(pages) {
  view.page = Math.max(1, view.page + pages);
  draw();
  writeAddress();
  document.getElementById("filters").scrollIntoView();
}

function changed(event) {
  if (event.target.name === "system") fillForSystem();
  view.page = 1;
  search();
  writeAddress();
}

let waiting = 0;
form.addEventListener("change", changed);
form.addEventListener("input", (event) => {
  clearTimeout(waiting);
  if (event.target.name === "q") waiting = setTimeout(changed, 150, event);
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(() => { view.page = 1; search(); writeAddress(); }));
document.getElementById("back").addEventListener("click", () => turn(-1));
document.getElementById("next").addEventListener("click", () => turn(1));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "/") { event.preventDefault(); form.elements.q.focus(); }
  if (event.key === "ArrowRight" && !document.getElementById("next").disabled) turn(1);
  if (event.key === "ArrowLeft" && !document.getElementById("back").disabled) turn(-1);
});
addEventListener("hashchange", () => { if (location.hash.includes("=")) show(); });

function show() {
  const asked = readAddress();
  search();
  if (asked) document.getElementById("errors").scrollIntoView();
}

// -- light and dark --------------------------------------------------------------------------------------------------

const themes = ["auto", "light", "dark"];
const themeButton = document.getElementById("theme");

function paint(theme) {
  document.documentElement.dataset.theme = theme; // "auto" follows the system
  themeButton.textContent = `Theme: ${theme}`;
  themeButton.dataset.theme = theme;
}

function rememberedTheme() {
  try { return themes.find((name) => name === localStorage.getItem("knowcoder-theme")) || "auto"; } catch { return "auto"; }
}

themeButton.addEventListener("click", () => {
  paint(themes[(themes.indexOf(themeButton.dataset.theme) + 1) % themes.length]);
  try { localStorage.setItem("knowcoder-theme", themeButton.dataset.theme); } catch { /* a page opened as a file may be refused storage */ }
});

paint(rememberedTheme());
fillFilters();
show();
