"""Makes the HTML of a transmittal: form and table that are readable without a script, and the data."""

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from importlib import resources

from zddc.transmittal.block import BlockError, find_block
from zddc.transmittal.data import Transmittal, text_of
from zddc.transmittal.writing import format_block, format_data
from zddc.visible import visible

# The page that shows and checks a transmittal, where it is built; what is between the marks is replaced.
VIEWER = "viewer.html"
STATIC_START, STATIC_END = "<!-- static -->", "<!-- /static -->"

_LABELS = {
    "type": "Type", "trackingNumber": "Number", "date": "Date", "from": "From", "to": "To", "purpose": "Purpose",
    "responseDue": "Response due", "client": "Client", "project": "Project", "projectNumber": "Project number",
    "title": "Title",
}  # fmt: skip
_HEADINGS = ("#", "Tracking number", "Revision", "Status", "Title", "File", "Bytes", "SHA-256")
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
h1 { font-size: 1.4rem; margin: 0 0 .25rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem }
dt { font-weight: 600 } dd { margin: 0 }
pre { white-space: pre-wrap; font: inherit; border-left: 3px solid; padding-left: .75rem }
table { border-collapse: collapse; width: 100%; font-size: .85rem }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border-bottom: 1px solid }
td { overflow-wrap: anywhere }
td:nth-child(7) { text-align: right } td:nth-child(8) { font-family: monospace }
.badge { border: 1px solid; padding: .1rem .5rem; border-radius: .25rem }
@media print { body { margin: 0; max-width: none } thead { display: table-header-group } tr { break-inside: avoid } }
@page { margin: 15mm; @bottom-right { content: counter(page) " / " counter(pages) } }
"""


def make_page(transmittal: Transmittal, viewer: str | None = None) -> str:
    """Return the HTML of a transmittal: ``viewer`` with the data in it, or a page without a script where it is None.

    Raises ValueError where the viewer has no place for the data.
    """
    if viewer is None:
        return _static_page(transmittal)
    before, start, rest = viewer.partition(STATIC_START)
    _, end, behind = rest.partition(STATIC_END)
    if not start or not end:
        raise ValueError(f"no {STATIC_START} and {STATIC_END}")
    page = "".join((before, start, _form(transmittal), end, behind))
    try:
        first, last = find_block(page)
    except BlockError as error:
        raise ValueError(str(error)) from None
    return f"{page[:first]}\n{format_data(transmittal)}\n{page[last:]}"


def read_viewer() -> str | None:
    """Return the page that shows and checks a transmittal; None where it is not built."""
    file = resources.files("zddc").joinpath("tools", VIEWER)
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _static_page(transmittal: Transmittal) -> str:
    hashed = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{hashed}'; img-src data:; base-uri 'none'; form-action 'none'"
    title = f"{transmittal['trackingNumber']} {transmittal['subject'] or transmittal['title']}"
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            STATIC_START + _form(transmittal) + STATIC_END,
            f"{format_block(transmittal)}\n</body>\n</html>\n",
        )
    )


def _text(text: str) -> str:
    return escape(visible(text))


def _form(transmittal: Transmittal) -> str:
    """Return what a person reads: header, remarks, files, signatures; nothing of it was checked."""
    title = transmittal["subject"] or transmittal["title"] or transmittal["type"]
    fields = [(label, transmittal[name]) for name, label in _LABELS.items() if transmittal[name]]
    remarks = f"<h2>Remarks</h2>\n<pre>{_text(transmittal['remarks'])}</pre>" if transmittal["remarks"] else ""
    state = {"draft": "draft", "digest": "published, not signed", "signed": "signed"}[transmittal.state]
    return "\n".join(
        (
            f'\n<header>\n<h1>{_text(title)}</h1>\n<p><span class="badge">{state}; not checked</span> '
            "Check it with your own copy of the tool, or with <code>zddc verify</code>: "
            "a page cannot vouch for itself.</p>",
            f"<dl>{''.join(f'<dt>{label}</dt><dd>{_text(value)}</dd>' for label, value in fields)}</dl>\n</header>",
            remarks,
            f"<h2>Files</h2>\n<table>\n<thead><tr>{_cells('th', _HEADINGS)}</tr></thead>\n<tbody>",
            *_rows(transmittal),
            f"</tbody>\n</table>\n{_seal(transmittal)}\n",
        )
    )


def _cells(element: str, texts: Iterable[str]) -> str:
    return "".join(f"<{element}>{_text(text)}</{element}>" for text in texts)


def _rows(transmittal: Transmittal) -> Iterable[str]:
    for number, row in enumerate(transmittal.files, 1):
        parts = (row.tracking_number, row.revision, row.status, row.title, row.place, str(row.size), row.sha256)
        yield f"<tr>{_cells('td', (str(number), *parts))}</tr>"


def _seal(transmittal: Transmittal) -> str:
    """Return the digest, as it is printed and compared, and what the signatures say of themselves."""
    digest = text_of(transmittal.envelope, "digest")
    if not digest:
        return ""
    seal = f"ZDDC1 {transmittal['trackingNumber']} {transmittal['date']} {digest}"
    signed = [f"{text_of(one, 'label') or 'Signature'}, {text_of(one, 'signedAt')}" for one in transmittal.signatures]
    lines = "".join(f"<li>{_text(one)}</li>" for one in signed)
    return f"<h2>Digest</h2>\n<p><code>{_text(seal)}</code></p>\n<ul>{lines}</ul>"
