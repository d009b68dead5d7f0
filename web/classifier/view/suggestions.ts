/** The values that a cell may get, as a list below the field that is typed into. */
import { visible } from "../../shared/visible";
import { text } from "../text";

export interface Suggestion {
  readonly value: string;
  readonly note: string;
}

export class Suggestions {
  readonly #list = document.createElement("ul");
  #shown: readonly Suggestion[] = [];
  #at = -1;

  constructor(
    private readonly input: HTMLInputElement,
    parent: HTMLElement,
    private readonly choose: (value: string) => void,
  ) {
    this.#list.className = "sheet-suggestions";
    this.#list.id = "sheet-suggestions";
    this.#list.setAttribute("role", "listbox");
    this.#list.setAttribute("aria-label", text.suggestions);
    this.#list.hidden = true;
    // The field keeps the focus.
    this.#list.addEventListener("mousedown", (event) => {
      event.preventDefault();
      const item = event.target instanceof Element ? event.target.closest("li") : null;
      const chosen = this.#shown[[...this.#list.children].indexOf(item as Element)];
      if (chosen) this.choose(chosen.value);
    });
    parent.append(this.#list);
  }

  show(found: readonly Suggestion[], isAsked: boolean): void {
    this.#shown = found;
    this.#at = isAsked && found.length ? 0 : -1;
    this.#list.replaceChildren(
      ...found.map(({ value, note }, n) => {
        const item = document.createElement("li");
        item.setAttribute("role", "option");
        item.id = `suggestion-${n}`;
        const name = document.createElement("b");
        name.textContent = visible(value);
        item.append(name, ` ${note}`);
        return item;
      }),
    );
    this.#list.hidden = !found.length;
    this.#list.style.transform = this.input.style.transform;
    this.input.setAttribute("aria-controls", found.length ? "sheet-suggestions" : "sheet-grid");
    this.input.setAttribute("aria-haspopup", found.length ? "listbox" : "grid");
    if (found.length) this.#list.scrollIntoView({ block: "nearest" });
    this.#paint();
  }

  hide(): void {
    if (!this.#list.hidden) this.show([], false);
  }

  /** Take a key that belongs to the list; returns whether it did. */
  onKeyDown({ key, altKey }: KeyboardEvent): boolean {
    if (this.#list.hidden || altKey) return false;
    const last = this.#shown.length - 1;
    if (key === "ArrowDown") this.#at = this.#at >= last ? 0 : this.#at + 1;
    else if (key === "ArrowUp") this.#at = this.#at <= 0 ? last : this.#at - 1;
    else if (key === "Enter" && this.#at >= 0) {
      this.choose(this.#shown[this.#at]!.value);
      return true;
    } else if (key === "Tab" && this.#at >= 0) {
      this.input.value = this.#shown[this.#at]!.value;
      return false;
    } else return false;
    this.#paint();
    return true;
  }

  #paint(): void {
    [...this.#list.children].forEach((item, n) => item.setAttribute("aria-selected", String(n === this.#at)));
    const item = this.#list.children[this.#at];
    if (item) {
      this.input.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    }
  }
}
