"""Folders for the classifier's tests: a private one of the browser that is written for real, and one that fails."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.zddc.tools.archives import served_by
from tests.zddc.tools.conftest import TOOLS

# The picker gives a private folder of the browser, on whose files everything works as on real ones.
PRIVATE_FOLDER = """
window.above = "";
const vendor = async (options) => {
  let folder = await navigator.storage.getDirectory();
  if (window.above) folder = await folder.getDirectoryHandle(window.above, {create: true});
  return folder.getDirectoryHandle("Vendor", options);
};
window.showDirectoryPicker = () => vendor();
window.seed = async (files) => {
  const top = await vendor({create: true});
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split("/");
    let folder = top;
    for (const part of parts.slice(0, -1)) folder = await folder.getDirectoryHandle(part, {create: true});
    const stream = await (await folder.getFileHandle(parts.at(-1), {create: true})).createWritable();
    await stream.write(content);
    await stream.close();
  }
};
window.tree = async () => {
  const found = {};
  const walk = async (folder, path) => {
    for await (const one of folder.values()) {
      if (one.kind === "directory") await walk(one, path + one.name + "/");
      else found[path + one.name] = await (await one.getFile()).text();
    }
  };
  await walk(await window.showDirectoryPicker(), "");
  return found;
};
"""

# A folder in memory, whose acts fail as `failing(act, name)` says: it returns the name of a DOMException, or nothing.
FAILING_FOLDER = """
window.files = new Map();
window.failing = () => null;
window.acts = [];
(() => {
  const act = (what, name) => {
    window.acts.push(`${what} ${name}`);
    const kind = window.failing(what, name);
    if (kind) throw kind === "TypeError" ? new TypeError("Name is not allowed.") : new DOMException(kind, kind);
  };
  const own = (prototype, members) => {
    const made = Object.create(prototype);
    for (const [name, value] of Object.entries(members)) Object.defineProperty(made, name, {value});
    return made;
  };
  const fileHandle = (folder, name) => own(FileSystemFileHandle.prototype, {
    kind: "file",
    name,
    getFile: async () => {
      act("getFile", name);
      const file = window.files.get(folder + name);
      if (!file) throw new DOMException("absent", "NotFoundError");
      return new File([file.text], name, {lastModified: file.modified ?? 1000});
    },
    isSameEntry: async () => false,
    createWritable: async ({keepExistingData} = {}) => {
      act("createWritable", name);
      let text = keepExistingData ? window.files.get(folder + name).text : "";
      let at = text.length;
      return {
        seek: async (place) => { at = place; },
        truncate: async (size) => { text = text.slice(0, size); },
        write: async (data) => {
          act("write", name);
          const more = typeof data === "string" ? data : await data.text();
          text = text.slice(0, at) + more;
          at = text.length;
        },
        close: async () => { act("close", name); window.files.set(folder + name, {text, modified: 1000}); },
        abort: async () => undefined,
      };
    },
    move: async (newName) => {
      act("move", name);
      const file = window.files.get(folder + name);
      if (!file) throw new DOMException("absent", "NotFoundError");
      if (window.files.has(folder + newName)) throw new DOMException("taken", "InvalidModificationError");
      window.files.delete(folder + name);
      window.files.set(folder + newName, file);
    },
  });
  const entries = (folder) => {
    const found = new Map();
    for (const path of window.files.keys()) {
      if (!path.startsWith(folder)) continue;
      const rest = path.slice(folder.length);
      const slash = rest.indexOf("/");
      if (slash < 0) found.set(rest, "file");
      else found.set(rest.slice(0, slash), "directory");
    }
    return found;
  };
  const folderHandle = (folder, name) => own(FileSystemDirectoryHandle.prototype, {
    kind: "directory",
    name,
    values: async function* () {
      act("list", name);
      for (const [one, kind] of [...entries(folder)]) {
        yield kind === "file" ? fileHandle(folder, one) : folderHandle(folder + one + "/", one);
      }
    },
    getFileHandle: async (one, {create} = {}) => {
      const kind = entries(folder).get(one);
      if (kind === "directory") throw new DOMException("folder", "TypeMismatchError");
      if (!kind && !create) throw new DOMException("absent", "NotFoundError");
      if (!kind) {
        act("create", one);
        window.files.set(folder + one, {text: "", modified: 1000});
      }
      return fileHandle(folder, one);
    },
    getDirectoryHandle: async (one) => {
      if (entries(folder).get(one) !== "directory") throw new DOMException("absent", "NotFoundError");
      return folderHandle(folder + one + "/", one);
    },
    removeEntry: async (one) => {
      act("remove", one);
      if (!window.files.delete(folder + one)) throw new DOMException("absent", "NotFoundError");
    },
    requestPermission: async () => window.failing("permission", name) ? "denied" : "granted",
  });
  window.showDirectoryPicker = async () => folderHandle("", "Vendor");
  window.seed = async (files) => { for (const [path, text] of Object.entries(files)) window.files.set(path, {text}); };
  window.tree = async () => Object.fromEntries([...window.files].map(([path, {text}]) => [path, text]));
})();
"""

# An answer of the worker for patterns is waited for as long as it takes, while this is so: the page itself gives it two
# seconds, and a busy machine may take longer to begin it.
PATIENT = """
window.isPatient = true;
(() => {
  const later = window.setTimeout;
  window.setTimeout = (act, ms, ...given) => later(act, window.isPatient && ms === 2000 ? 2 ** 30 : ms, ...given);
})();
"""


@contextlib.contextmanager
def served_page(name: str = "classifier") -> Iterator[str]:
    """Serve a built page, and give its address: from the disk a browser has no private folder."""
    content = (TOOLS / f"{name}.html").read_bytes()

    def answer(path: str) -> tuple[int, str, bytes]:
        if path == f"/{name}.html":
            return 200, "text/html; charset=utf-8", content
        return 404, "text/plain", b""

    with served_by(answer) as address:
        yield f"{address}{name}.html"


class Sheet:
    """The classifier in a browser, as a person works in it."""

    def __init__(self, tool: Any) -> None:
        self.tool = tool
        self.page = tool.page

    def open(self, files: Mapping[str, str] | None = None) -> "Sheet":
        """Make files, open the folder by the keyboard, and wait for its rows."""
        if files is not None:
            self.page.evaluate("files => seed(files)", dict(files))
        self.page.keyboard.press("Control+o")
        self.page.locator(".sheet-body > .sheet-row").first.wait_for()
        return self

    def wait(self, condition: str) -> None:
        """Wait until an expression is true; the page's policy keeps Playwright's own way from evaluating a text."""
        while not self.page.evaluate(condition):
            self.page.wait_for_timeout(50)

    def wait_for_rows(self, count: int) -> None:
        self.wait(f"document.querySelectorAll('.sheet-body > .sheet-row').length === {count}")

    def tree(self, journals: bool = False) -> dict[str, str]:
        found: dict[str, str] = self.page.evaluate("tree()")
        return {path: text for path, text in found.items() if journals or ".zddc-rename-" not in path}

    def journals(self) -> list[str]:
        return [path for path in self.tree(journals=True) if ".zddc-rename-" in path]

    def press(self, *keys: str) -> None:
        self.tool.press(*keys)

    def type(self, text: str) -> None:
        self.page.keyboard.insert_text(text)

    def go_to(self, row: int, column: int) -> None:
        """Work on a cell, counted from 0."""
        self.press("Control+Home", *["ArrowDown"] * row, *["ArrowRight"] * column)

    def paste(self, text: str) -> None:
        """Paste a text that a spreadsheet copied."""
        self.page.evaluate(
            """text => {
              const data = new DataTransfer();
              data.setData("text/plain", text);
              const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
              document.querySelector(".sheet-input").dispatchEvent(event);
            }""",
            text,
        )

    def cell(self, row: int, column: int) -> str:
        return str(self.page.locator(f"#cell-{row}-{column}").text_content())

    def column(self, column: int) -> list[str]:
        """The texts of a column, of the rows that are drawn."""
        return list(self.page.locator(f".sheet-body .sheet-row > :nth-child({column + 1})").all_text_contents())

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name)

    def start_renaming(self) -> None:
        """Rename what is ready, by the keyboard."""
        self.press("Control+s")
        self.page.get_by_role("dialog", name="Rename the files?").wait_for()
        self.press("Enter")

    def apply(self) -> str:
        """Rename what is ready; return what the result says, and close it."""
        self.start_renaming()
        result = self.page.get_by_role("dialog", name="Result")
        result.wait_for()
        said = str(result.inner_text())
        self.press("Escape")
        return said

    def undo_all(self) -> None:
        self.button("Undo all").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Undo all").click()
        self.page.locator(".toast", has_text="Renamed back").first.wait_for()
