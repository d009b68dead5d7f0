"""What the Markdown editor's tests open: folders that are written, or that fail, and the page as one uses it."""

import base64
import contextlib
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.zddc.tools.archives import listing, served_by
from tests.zddc.tools.classifier_folders import FAILING_FOLDER, PRIVATE_FOLDER
from tests.zddc.tools.conftest import TOOLS

__all__ = ["BYTES", "FAILING_FOLDER", "KEEPS", "PNG", "PRIVATE_FOLDER", "Editor", "served_editor"]


def _png(width: int, height: int) -> bytes:
    """An image: a pump as a circle on a pipe."""
    rows = b""
    for y in range(height):
        rows += b"\0"
        for x in range(width):
            away = ((x - width / 2) ** 2 + (y - height / 2) ** 2) ** 0.5
            on_pipe = abs(y - height / 2) < 5
            rows += b"\x1d\x5f\xa8" if away < height / 2.3 else b"\x6b\x78\x87" if on_pipe else b"\xf4\xf6\xf8"

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PNG = _png(240, 70)

# A private folder with files of any bytes.
BYTES = (
    PRIVATE_FOLDER
    + """
window.seedBytes = async (files) => {
  const bytesOf = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const decoded = Object.entries(files).map(([path, text]) => [path, bytesOf(text)]);
  await window.seed(Object.fromEntries(decoded));
};
window.treeBytes = async () => {
  const found = {};
  const walk = async (folder, path) => {
    for await (const one of folder.values()) {
      if (one.kind === "directory") await walk(one, path + one.name + "/");
      else {
        const bytes = new Uint8Array(await (await one.getFile()).arrayBuffer());
        found[path + one.name] = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
      }
    }
  };
  await walk(await window.showDirectoryPicker(), "");
  return found;
};
"""
)

# Whether the browser keeps a text that is not saved and ends so. To open a store that is not there yet would make it.
KEEPS = """async (end) => {
  if (!(await indexedDB.databases()).length) return false;
  const opened = indexedDB.open("zddc-mdedit");
  await new Promise((done) => { opened.onsuccess = done; });
  const found = opened.result.transaction("drafts").objectStore("drafts").getAll();
  await new Promise((done) => { found.onsuccess = done; });
  opened.result.close();
  return found.result.some(({text}) => text.endsWith(end));
}"""


@contextlib.contextmanager
def served_editor() -> Iterator[str]:
    """Serve the page from a folder without documents, and give its address."""
    content = (TOOLS / "mdedit.html").read_bytes()

    def answer(path: str) -> tuple[int, str, bytes]:
        return (200, "text/html; charset=utf-8", content) if path == "/mdedit.html" else listing()

    with served_by(answer) as address:
        yield f"{address}mdedit.html"


class Editor:
    """The page in a browser, as a person works in it."""

    def __init__(self, tool: Any) -> None:
        self.tool = tool
        self.page = tool.page
        self.text = tool.page.locator(".cm-content")

    def open(self, files: Mapping[str, str | bytes], document: str | None = None) -> "Editor":
        """Make files, open the folder by the keyboard, and a document of it."""
        if any(isinstance(content, bytes) for content in files.values()):
            raw = {path: c if isinstance(c, bytes) else c.encode() for path, c in files.items()}
            self.page.evaluate("f => seedBytes(f)", {path: base64.b64encode(c).decode() for path, c in raw.items()})
        else:
            self.page.evaluate("files => seed(files)", dict(files))
        self.press("Control+o")
        self.page.locator(".place-name", has_text="Vendor").wait_for()
        self.wait("document.querySelector('[role=status]').textContent.includes('document')")
        if document is not None:
            self.choose(document)
        return self

    def choose(self, path: str) -> None:
        """Open a document by its path, with the focus in its text."""
        self.press("Control+p")
        self.page.get_by_role("combobox", name="Words of its path").fill(path)
        name = self.page.locator("#quick-list [aria-selected=true]").inner_text().rsplit("/", 1)[-1]
        self.press("Enter")
        self.page.get_by_role("textbox", name=f"Text of {name}", exact=True).wait_for()
        self.wait("document.querySelector('.text-host').shadowRoot.activeElement !== null")

    def wait(self, condition: str, *given: str) -> None:
        """Wait until an expression is true; the page's policy keeps Playwright's own way from evaluating a text."""
        while not self.page.evaluate(condition, *given):
            self.page.wait_for_timeout(30)

    def press(self, *keys: str) -> None:
        self.tool.press(*keys)
        if keys[-1] in ("Control+k", "Control+p"):  # what is typed before the field has the focus goes elsewhere
            self.wait("document.activeElement?.closest('dialog, .palette') !== null")

    def type(self, text: str) -> None:
        self.page.keyboard.insert_text(text)

    def toast(self, text: str) -> None:
        self.page.locator(".toast", has_text=text).first.wait_for()

    def save(self) -> None:
        self.press("Control+s")
        self.toast("Saved")
        self.wait("!document.querySelector('.name-bar .badge.warn')")

    def tree(self) -> dict[str, str]:
        return dict(self.page.evaluate("tree()"))

    def tree_bytes(self) -> dict[str, bytes]:
        return {path: base64.b64decode(text) for path, text in self.page.evaluate("treeBytes()").items()}

    def badge(self, text: str) -> Any:
        return self.page.locator(".name-bar .badge", has_text=text)

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def lines(self) -> list[str]:
        """The lines of the text that are drawn."""
        return list(self.page.locator(".cm-line").all_text_contents())

    def paste(self, plain: str, html: str = "") -> None:
        """Paste what another program copied."""
        self.page.evaluate(
            """([plain, html]) => {
              const data = new DataTransfer();
              data.setData("text/plain", plain);
              if (html) data.setData("text/html", html);
              const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
              document.querySelector(".text-host").shadowRoot.querySelector(".cm-content").dispatchEvent(event);
            }""",
            [plain, html],
        )
