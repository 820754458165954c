// The page at /: takes a document, has it read, shows what was read.

import { isReady, read, readAs, Refusal } from "./service.js";
import { filter, hideTip, isUnsure, kindOf, showPage, step } from "./view.js";
import { choose as chooseLanguage, problemTitle, seconds, speak, stageName, word } from "./words.js";

const $ = (id) => document.getElementById(id);
const KINDS = ["printed", "handwritten", "unknown"];
const READY_POLL_MS = 2000;

let file = null;
let answer = null;
let pageIndex = 0;
let reading = null;
let kinds = new Set(KINDS);
let onlyUnsure = false;
let viewable = true;

// Which of the page's parts are there in each state.
function enter(state) {
  document.body.dataset.state = state;
  $("welcome").hidden = state !== "empty";
  $("trouble").hidden = state !== "trouble";
  $("desk").hidden = !["reading", "read"].includes(state);
  $("reading").hidden = state !== "reading";
  $("result").hidden = state !== "read";
  $("again").hidden = state === "empty";
  hideTip();
}

async function start(next) {
  reading?.abort();
  file = next;
  answer = null;
  pageIndex = 0;
  await showImage(file);
  $("progress").textContent = "";
  enter("reading");
  const attempt = new AbortController();
  reading = attempt;
  const stopClock = clock();
  try {
    const whole = await read(file, chosenLayout(), attempt.signal, (partial) => {
      if (reading === attempt) showProgress(partial);
    });
    if (reading !== attempt) return;
    answer = whole;
    if (answer.broken && !answer.pages.length) throw answer.broken;
    showAnswer();
    if (answer.broken) toast(problemTitle(answer.broken.code, answer.broken.title));
  } catch (error) {
    if (reading === attempt && error.name !== "AbortError") showTrouble(error);
  } finally {
    stopClock();
  }
}

/** Show the image at once; formats that the browser cannot show get a blank sheet when they are read. */
async function showImage(blob) {
  const image = $("image");
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  $("boxes").replaceChildren();
  $("pages").hidden = true;
  viewable = await image.decode().then(() => true, () => false);
  $("sheet").classList.toggle("blank", !viewable);
  $("sheet").style.setProperty("--ratio", viewable ? image.naturalWidth / image.naturalHeight : 3 / 4);
}

function clock() {
  const startedMs = performance.now();
  const tick = () => ($("elapsed").textContent = seconds(Math.floor((performance.now() - startedMs) / 100) * 100));
  tick();
  const timer = setInterval(tick, 100);
  return () => clearInterval(timer);
}

/** Pages that are read while others still are: the first can be looked at already. */
function showProgress(partial) {
  $("progress").textContent = partial.page_count > 1 ? `${partial.pages.length} / ${partial.page_count}` : "";
  answer = partial;
  $("result").hidden = partial.page_count < 2;
  if (partial.pages.length === 1) openPage(0);
  else showPages();
}

function showAnswer() {
  enter("read");
  kinds = new Set(KINDS);
  onlyUnsure = false;
  openPage(pageIndex);
  const { total, ...stages } = answer.timings_ms;
  const parts = Object.entries(stages).map(([stage, spent]) => `${stageName(stage)} ${seconds(spent)}`);
  const identity = document.createElement("code");
  identity.textContent = answer.request_id;
  $("timing").replaceChildren(
    `${word("readIn")} ${seconds(total)} · ${parts.join(" · ")} · ${word("requestId")} `, identity,
  );
}

function openPage(index) {
  pageIndex = Math.min(Math.max(index, 0), answer.pages.length - 1);
  const page = answer.pages[pageIndex];
  // A browser shows the first page of a document, if any.
  showPage(page, { blank: !viewable || pageIndex > 0, copy });
  showPages();
  showFilters(page);
  filter(page, kinds, onlyUnsure);
}

function showPages() {
  $("pages").hidden = answer.pages.length < 2;
  $("pages").replaceChildren(...answer.pages.map((page, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = page.page;
    button.setAttribute("aria-label", `${word("page")} ${page.page}`);
    button.setAttribute("aria-current", String(index === pageIndex));
    button.classList.toggle("failed", page.error !== null);
    button.addEventListener("click", () => openPage(index));
    return button;
  }));
}

function showFilters(page) {
  const chips = KINDS.map((kind) => {
    const count = page.regions.filter((region) => kindOf(region) === kind).length;
    return chip(kind, count, kinds.has(kind), () => (kinds.has(kind) ? kinds.delete(kind) : kinds.add(kind)));
  });
  const unsure = page.regions.filter(isUnsure).length;
  chips.push(chip("unsure", unsure, onlyUnsure, () => (onlyUnsure = !onlyUnsure)));
  $("filters").replaceChildren(...chips.filter((element) => element.dataset.count !== "0"));
}

function chip(name, count, pressed, toggle) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `chip ${name}`;
  button.dataset.count = count;
  button.setAttribute("aria-pressed", String(pressed));
  const number = document.createElement("b");
  number.textContent = count;
  button.append(word(name), number);
  button.addEventListener("click", () => {
    toggle();
    openPage(pageIndex);
    document.querySelector(`.chip.${name}`)?.focus();
  });
  return button;
}

function showTrouble(error) {
  const refusal = error instanceof Refusal ? error : new Refusal({ code: "page", title: String(error) });
  const offline = refusal.code === "offline";
  $("trouble-title").textContent = offline ? word("offline") : problemTitle(refusal.code, refusal.title);
  $("trouble-detail").textContent = offline ? word("offlineDetail") : refusal.detail;
  $("trouble-id").textContent = refusal.requestId ? `${word("requestId")} ${refusal.requestId}` : "";
  $("retry").hidden = !refusal.mayPass;
  $("dismiss").classList.toggle("main", !refusal.mayPass);
  enter("trouble");
  $(refusal.mayPass ? "retry" : "dismiss").focus();
}

function reset() {
  reading?.abort();
  reading = file = answer = null;
  enter("empty");
  $("choose").focus();
}

async function copy(text) {
  toast(await written(text) ? word("copied") : word("copyFailed"));
}

/** Put text on the clipboard; over plain HTTP browsers leave only the older way. */
async function written(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    const focused = document.activeElement;
    area.value = text;
    area.className = "unseen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return done;
  }
}

let toastTimer = 0;
function toast(text) {
  $("toast").textContent = text;
  $("toast").classList.add("up");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $("toast").classList.remove("up"), 1600);
}

/** Save in the format chosen; what the page does not hold already is read again by the service. */
async function saveAs({ target }) {
  const [format, suffix] = target.value.split(" ");
  target.value = "";
  if (format === "json") {
    const { page_count, broken, ...document } = answer;
    save(new Blob([JSON.stringify(document, null, 2)], { type: "application/json" }), suffix);
    return;
  }
  try {
    toast(word("preparing"));
    save(await readAs(file, chosenLayout(), format), suffix);
  } catch (error) {
    toast(error instanceof Refusal ? error.detail || word("offline") : String(error));
  }
}

const chosenLayout = () => document.querySelector("input[name=layout]:checked").value;

function save(blob, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${(file.name ?? "document").replace(/\.[^.]*$/, "")}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}

const wholeText = () => answer.pages.map((page) => page.text ?? "").join("\n\n");

function openTab(name) {
  for (const tab of ["lines", "text"]) {
    $(tab).hidden = tab !== name;
    $(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
  }
}

async function openSample() {
  const blob = await (await fetch("static/sample.jpg")).blob();
  document.querySelector("input[name=layout][value=page]").checked = true;
  start(new File([blob], "sample.jpg", { type: blob.type }));
}

function take(transfer) {
  const [first] = transfer?.files ?? [];
  if (first) start(first);
  else toast(word("notImage"));
}

async function watchReadiness() {
  const ready = await isReady();
  $("ready").hidden = ready;
  if (!ready) setTimeout(watchReadiness, READY_POLL_MS);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const state = document.body.dataset.state;
  if (event.key === "Escape" && state !== "empty") reset();
  if (state !== "read" || $("lines").hidden) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    step(event.key === "ArrowDown" ? 1 : -1);
  }
  if (event.key === "PageDown" || event.key === "PageUp") {
    if (answer.pages.length < 2) return;
    event.preventDefault();
    openPage(pageIndex + (event.key === "PageDown" ? 1 : -1));
  }
}

function listen() {
  const on = (id, act) => $(id).addEventListener("click", act);
  on("choose", () => $("file").click());
  on("photograph", () => $("camera").click());
  on("sample", openSample);
  on("again", reset);
  on("dismiss", reset);
  on("cancel", reset);
  on("retry", () => start(file));
  on("copy", () => copy(wholeText()));
  on("save-text", () => save(new Blob([`${wholeText()}\n`], { type: "text/plain" }), "txt"));
  $("save-as").addEventListener("change", saveAs);
  for (const tab of ["lines", "text"]) on(`tab-${tab}`, () => openTab(tab));
  for (const input of [$("file"), $("camera")]) {
    input.addEventListener("change", () => {
      if (input.files.length) start(input.files[0]);
      input.value = "";
    });
  }
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      chooseLanguage(button.dataset.language);
      if (document.body.dataset.state === "read") showAnswer();
    });
  }
  document.addEventListener("keydown", onKey);
  document.addEventListener("paste", (event) => take(event.clipboardData));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dragging");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    take(event.dataTransfer);
  });
}

speak();
listen();
openTab("lines");
enter("empty");
watchReadiness();
