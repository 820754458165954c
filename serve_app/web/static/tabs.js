// The two tabs of what was read: its lines, and its text.

import { $ } from "./dom.js";

const TABS = ["lines", "text"];

export function openTab(name) {
  for (const tab of TABS) {
    $(tab).hidden = tab !== name;
    $(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
    $(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
  }
}

export const openOtherTab = () => openTab($("text").hidden ? "text" : "lines");

export function listenToTabs() {
  for (const tab of TABS) $(`tab-${tab}`).addEventListener("click", () => openTab(tab));
  document.querySelector(".tabs [role=tablist]").addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    openOtherTab();
    document.querySelector("[role=tab][tabindex='0']").focus();
  });
}
