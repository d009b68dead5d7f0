// A key does what the element that names it does: a link or a button is clicked, a panel opened, a field focused.
"use strict";

const typing = (element) => element.matches("input:not([type=hidden]), textarea, select");

// Until the next page is there this one still hears keys, which are meant for that one.
let leaving = false;
document.addEventListener("submit", (event) => {
  if (leaving) event.preventDefault();
  leaving = true;
});
window.addEventListener("pageshow", () => { leaving = false; });

document.addEventListener("keydown", (event) => {
  if (leaving) return;
  const inField = typing(event.target);
  if (event.key === "Escape") {
    for (const panel of document.querySelectorAll("details[data-key][open]")) panel.open = false;
    event.target.blur();
  } else if (event.key === "Enter" && event.ctrlKey && inField && event.target.form) {
    event.preventDefault();
    event.target.form.requestSubmit();
  } else if (!inField && !event.ctrlKey && !event.altKey && !event.metaKey) {
    const named = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!named) return;
    event.preventDefault();
    if (event.repeat && named.tagName === "BUTTON") return; // a key held down decides once
    if (named.tagName === "DETAILS") {
      named.open = !named.open;
      const first = named.querySelector("[data-first]");
      if (named.open) {
        named.scrollIntoView({ block: "nearest" });
        if (first) first.focus();
      }
    } else if (named.tagName === "INPUT") {
      named.select();
    } else {
      if (named.tagName === "A") leaving = true;
      named.click();
    }
  }
});

const here = document.querySelector("aside [aria-current]");
if (here) {
  const list = here.closest("aside");
  list.scrollTop = here.offsetTop + 2 * here.offsetHeight - list.clientHeight; // none where it is in view
}
