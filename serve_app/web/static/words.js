// What the page says, in both languages, and the language a person chose.

const WORDS = {
  en: {
    headline: "Any page, read.",
    lead: "Print and handwriting, Russian and English: every line found, told apart and read.",
    dropHere: "Drop an image here",
    orPaste: "or paste it from the clipboard",
    choose: "Choose a file",
    photograph: "Take a photo",
    sample: "Try a sample",
    formats: "PDF, JPEG, PNG, TIFF, WebP, BMP, GIF",
    layout: "What the image shows",
    layoutPage: "Whole page",
    layoutLine: "Single line",
    another: "New document",
    retry: "Try again",
    cancel: "Cancel",
    reading: "Reading…",
    warming: "The models are warming up",
    lines: "Lines",
    text: "Text",
    copyAll: "Copy all",
    more: "Save as…",
    saveAs: "Save in another format",
    preparing: "One moment…",
    copied: "Copied",
    copyFailed: "The browser did not allow copying",
    release: "Drop to read",
    language: "Language",
    pages: "Pages",
    show: "Show",
    page: "Page",
    printed: "Print",
    handwritten: "Handwriting",
    unknown: "Undecided",
    unsure: "Unsure",
    unread: "not read",
    nothing: "No text was found on this page.",
    readIn: "Read in",
    requestId: "Request",
    stages: { decode: "decoding", crops: "cutting", assembly: "ordering" },
    clickToCopy: "Click to copy",
    notImage: "That is not a file. Drop or paste an image.",
    offline: "The service does not answer",
    offlineDetail: "Check the connection and try again.",
    problems: {},
  },
  ru: {
    headline: "Прочтём любую страницу.",
    lead: "Печать и рукопись, русский и английский: каждая строка найдена, определена и прочитана.",
    dropHere: "Перетащите изображение сюда",
    orPaste: "или вставьте из буфера обмена",
    choose: "Выбрать файл",
    photograph: "Сфотографировать",
    sample: "Открыть пример",
    formats: "PDF, JPEG, PNG, TIFF, WebP, BMP, GIF",
    layout: "Что на изображении",
    layoutPage: "Страница",
    layoutLine: "Одна строка",
    another: "Новый документ",
    retry: "Повторить",
    cancel: "Отменить",
    reading: "Читаю…",
    warming: "Модели прогреваются",
    lines: "Строки",
    text: "Текст",
    copyAll: "Копировать всё",
    more: "Сохранить…",
    saveAs: "Сохранить в другом формате",
    preparing: "Секунду…",
    copied: "Скопировано",
    copyFailed: "Браузер не разрешил копирование",
    release: "Отпустите, чтобы прочитать",
    language: "Язык",
    pages: "Страницы",
    show: "Показать",
    page: "Страница",
    printed: "Печать",
    handwritten: "Рукопись",
    unknown: "Не определено",
    unsure: "Неуверенно",
    unread: "не прочитано",
    nothing: "На этой странице текст не найден.",
    readIn: "Прочитано за",
    requestId: "Запрос",
    stages: {
      decode: "декодирование", detection: "поиск строк", crops: "вырезание", classification: "определение вида",
      recognition: "распознавание", assembly: "порядок",
    },
    clickToCopy: "Нажмите, чтобы скопировать",
    notImage: "Это не файл. Перетащите или вставьте изображение.",
    offline: "Сервис не отвечает",
    offlineDetail: "Проверьте соединение и повторите.",
    problems: {
      malformed_request: "Запрос составлен неверно",
      invalid_parameter: "Неизвестный параметр или недопустимое значение",
      payload_too_large: "Документ больше, чем принимает сервис",
      unsupported_format: "Этот формат не поддерживается",
      unreadable_document: "Документ не удалось открыть",
      stage_failed: "Ошибка при обработке документа",
      overloaded: "Сервис перегружен, повторите немного позже",
      stage_unavailable: "Одна из моделей сейчас недоступна",
      deadline_exceeded: "Документ не удалось прочитать вовремя",
      internal: "Внутренняя ошибка сервиса",
    },
  },
};

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
export const stageName = (stage) => WORDS[language].stages[stage] ?? stage;
export const problemTitle = (code, title) => WORDS[language].problems[code] ?? title;

/** Put the words of the current language into the page. */
export function speak() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", word(element.dataset.label));
  }
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

export const percent = (share) => new Intl.NumberFormat(language, { style: "percent" }).format(share);
