// What a page keeps on this machine. Every page opened from the disk shares this store, so only what anybody may read
// goes in: the theme, widths of columns, stars. Never a name of a person, a key, or what is in a document.
const PREFIX = "zddc.";

/** Returns what was kept under a name; null where there is nothing or the browser keeps nothing. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

/** Keeps a text under a name, where the browser lets a page keep something; null removes it. */
export function remember(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // A browser that keeps nothing is no problem: the page begins anew the next time.
  }
}
