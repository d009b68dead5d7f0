"""Drives the transmittal page: by folders on the disk, and a private one of the browser to write in."""

import json
from pathlib import Path
from typing import Any

from tests.zddc.tools.archives import served_by
from tests.zddc.tools.conftest import TOOLS, ToolPage
from tests.zddc.transmittal import made

from zddc.transmittal import keys
from zddc.transmittal.data import parse_transmittal

PASSWORD = "open sesame"


class Tool:
    """The transmittal page, by what a person sees of it."""

    def __init__(self, tool: ToolPage) -> None:
        self.tool = tool
        self.page = tool.page

    def button(self, name: str, within: str = "body") -> Any:
        return self.page.locator(within).get_by_role("button", name=name, exact=True).first

    def drop(self, *paths: Path) -> None:
        self.tool.drop(*paths, at="h1, .drop-zone, .top")

    def go(self, screen: str) -> None:
        self.page.locator(".top nav").get_by_role("button", name=screen, exact=True).click()

    def verdict(self) -> str:
        return self.page.locator(".verdict [role=status]").inner_text()

    def counts(self) -> dict[str, int]:
        """How many files there are of each kind."""
        lines = self.page.locator(".counts li").all_inner_texts()
        return {line.split(maxsplit=1)[1]: int(line.split()[0].replace(",", "")) for line in lines}

    def problems(self) -> str:
        """The list of problems, when there is one; they come into it a moment after what they tell of."""
        shown = self.page.locator(".problems li")
        self.page.locator(".problem-count.has-some").wait_for()
        if not shown.first.is_visible():
            self.page.locator(".problem-count").click()
            shown.first.wait_for()
        return "\n".join(shown.all_inner_texts())

    def action(self, name: str) -> None:
        """Start an action by its name, from the palette."""
        self.page.keyboard.press("Control+k")
        self.page.locator(".palette input").fill(name)
        self.page.keyboard.press("Enter")

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            field = self.page.locator(f"#field-{name}")
            if name == "purpose":
                field.select_option(value)
            else:
                field.fill(value)

    def open_key(self, file: Path, password: str) -> None:
        self.action("Open a signing key")
        dialog = self.page.get_by_role("dialog")
        dialog.locator("input[type=file]").set_input_files(file)
        dialog.locator("input[type=password]").fill(password)
        dialog.get_by_role("button", name="Open", exact=True).click()

    def download(self, start: Any) -> tuple[str, str]:
        """Return the name and the text of what ``start`` makes the page download."""
        with self.page.expect_download() as waiting:
            start()
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes().decode()


def write_key(folder: Path, private=made.SENDER, password: str | None = PASSWORD, iterations: int = 1000) -> Path:
    file = folder / "key.zddc-key"
    file.write_bytes(keys.write_key(private, password, iterations))
    return file


def read_page(html: str):
    return parse_transmittal(html)


def known_keys(folder: Path, **names: str) -> Path:
    """Write a file of known keys; the thumbprint of each is given by its name."""
    rows = [{"thumbprint": value, "name": name} for name, value in names.items()]
    file = folder / "known-keys.json"
    file.write_text(json.dumps({"format": "zddc-known-keys-v1", "keys": rows}), encoding="utf-8")
    return file


__all__ = ["PASSWORD", "TOOLS", "Tool", "known_keys", "read_page", "served_by", "write_key"]
