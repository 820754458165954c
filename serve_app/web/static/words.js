// The language that a person chose, and numbers as it writes them.

import en from "./words.en.js";
import ru from "./words.ru.js";

const WORDS = { en, ru };
const KEY = "scriptorium.language";

let language = stored() ?? (navigator.language.toLowerCase().startsWith("ru") ? "ru" : "en");

function stored() {
  try {
    const value = localStorage.getItem(KEY);
    return value in WORDS ? value : null;
  } catch {
    return null; // Storage is forbidden in some private windows.
  }
}

export const word = (key) => WORDS[language][key];
export const fill = (key, values) => filled(word(key), values);
export const stageName = (stage) => WORDS[language].stages[stage] ?? stage;
export const spentName = (stage) => WORDS[language].spent[stage] ?? stage;
export const isKnown = (code) => code in WORDS[language].problems;
export const problemTitle = (code, title) => WORDS[language].problems[code]?.[0] ?? title;
export const adviceOn = ({ code, values }) => filled(WORDS[language].problems[code]?.[1] ?? "", values());

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** Put the words of the current language into the page. */
export function speak() {
  document.documentElement.lang = language;
  const each = (name, put) => {
    for (const element of document.querySelectorAll(`[data-${name}]`)) put(element, word(element.dataset[name]));
  };
  each("word", (element, text) => (element.textContent = text));
  each("label", (element, text) => element.setAttribute("aria-label", text));
  each("placeholder", (element, text) => (element.placeholder = text));
  each("hint", (element, text) => {
    element.setAttribute("aria-label", text);
    element.title = text;
  });
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
}

export function choose(next) {
  language = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // The choice then lasts as long as the page.
  }
  speak();
}

export const seconds = (ms) => new Intl.NumberFormat(language, {
  style: "unit", unit: ms < 1000 ? "millisecond" : "second", maximumFractionDigits: ms < 1000 ? 0 : 1,
}).format(ms < 1000 ? ms : ms / 1000);

/** Time that passes: always in seconds, so that it does not jump. */
export const clockTime = (ms) => new Intl.NumberFormat(language, {
  style: "unit", unit: "second", minimumFractionDigits: 1, maximumFractionDigits: 1,
}).format(ms / 1000);

/** Rounded to a tenth: limits are in binary megabytes, and so are these. */
export const megabytes = (bytes) => new Intl.NumberFormat(language, {
  style: "unit", unit: "megabyte", maximumFractionDigits: 1,
}).format(bytes / 2 ** 20);

export const percent = (share) =>
  new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }).format(share);
