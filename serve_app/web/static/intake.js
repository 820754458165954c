// Documents on their way in: chosen, photographed, dropped, pasted, or the sample.

import { $ } from "./dom.js";
import { ask, blobOf } from "./service.js";
import { toast } from "./toast.js";
import { word } from "./words.js";

/** `take(files)` gets what comes in, one file or several; `decline(error, retry)` hears why nothing did. */
export function listenToIntake(take, decline) {
  const openSample = () => sample().then((file) => take([file]), (error) => decline(error, openSample));
  $("choose").addEventListener("click", chooseFiles);
  $("photograph").addEventListener("click", () => $("camera").click());
  $("sample").addEventListener("click", openSample);
  for (const input of [$("file"), $("camera")]) {
    input.addEventListener("change", () => {
      if (input.files.length) take([...input.files]);
      input.value = "";
    });
  }
  const transferred = (transfer) => {
    if (transfer?.files.length) take([...transfer.files]);
    else toast(word("notFile"));
  };
  document.addEventListener("paste", (event) => {
    const typed = event.target instanceof Element && event.target.closest("input, textarea");
    if (!typed) transferred(event.clipboardData);
  });
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
    transferred(event.dataTransfer);
  });
}

export const chooseFiles = () => $("file").click();

async function sample() {
  const blob = await blobOf(await ask("static/sample.jpg", {}));
  document.querySelector("input[name=layout][value=page]").checked = true;
  return new File([blob], "sample.jpg", { type: blob.type });
}
