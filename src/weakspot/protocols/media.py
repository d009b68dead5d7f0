"""Pictures and documents in messages: their forms in both protocols, and texts for models that cannot see them."""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

_MEDIA = ("image_url", "file")
THOUGHTS = ("thinking", "reasoning", "redacted_thinking")
# Anthropic takes these; a client's own word for the type is often wrong ("image/jpg", a PNG called image/jpeg).
_SIGNATURES = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)
_IMAGE_TYPES = {name: name for _, name in _SIGNATURES} | {"image/jpg": "image/jpeg", "image/x-png": "image/png"}
_PDF = "application/pdf"
_DATA_URL = re.compile(
    r"data:(?P<type>[^;,]*)(?:;[^;,]+)*?(?P<base64>;base64)?,(?P<data>.*)", re.DOTALL | re.IGNORECASE
)
_FROM_URL_SAFE = str.maketrans("-_", "+/")
_UNSEEN = {"image_url": "[image: this model cannot see it]", "file": "[document: this model cannot read it]"}
# https://github.com/ggml-org/llama.cpp/issues/15377 (500), OpenRouter's 404, vLLM's and others' 400.
_REFUSED = re.compile(
    r"image|vision|visual|multi-?modal|mmproj|\bfiles?\b|document|\bpdf\b|content (?:part|type|block)", re.IGNORECASE
)
_REFUSING = (400, 404, 415, 422, 500, 501)

Part = dict[str, Any]


def is_media(part: Part) -> bool:
    """Return whether a part of a chat message is a picture or a file."""
    return part.get("type") in _MEDIA


def content_parts(content: Any) -> list[Part]:
    """Return the content of a chat message as parts."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content or ())


def text_of_parts(parts: Iterable[Part]) -> str:
    """Return the text of parts, with the type in place of any other part."""
    return "\n".join(part["text"] if part["type"] == "text" else f"[{part['type']}]" for part in parts)


def content_of_parts(parts: list[Part]) -> str | list[Part]:
    """Return parts as the content of a chat message: one text, unless there is a picture or a file among them."""
    return parts if any(map(is_media, parts)) else text_of_parts(parts)


def without_media(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a chat in which a text stands for each picture and document."""
    return [_without_media(message) for message in messages]


def _without_media(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, list) or not any(map(is_media, content)):
        return message
    return {
        **message,
        "content": text_of_parts(
            {"type": "text", "text": _UNSEEN.get(one["type"])} if is_media(one) else one for one in content
        ),
    }


def has_media(messages: list[dict[str, Any]]) -> bool:
    """Return whether a chat holds a picture or a file."""
    return without_media(messages) != messages


def refuses_media(status: int, text: str) -> bool:
    """Return whether a server's error says that its model cannot see a picture or read a file."""
    return status in _REFUSING and _REFUSED.search(text) is not None


def part_url(part: Part) -> str:
    """Return the URL of a picture; some clients write it without the object around it."""
    image = part["image_url"]
    return str(image if isinstance(image, str) else image["url"])


def image_url(url: str) -> str:
    """Return a picture's URL with the type that its data has."""
    source = image_source(url)
    return url if source is None or source["type"] == "url" else source_url(source)


def image_source(url: str) -> dict[str, str] | None:
    """Return a picture as the Messages API takes it; None for one that it does not."""
    if url.lower().startswith(("http://", "https://")):
        return {"type": "url", "url": url}
    named, data = _type_and_data(url)
    kind = image_type(named, data)
    return {"type": "base64", "media_type": kind, "data": data} if kind and data else None


def _type_and_data(url: str) -> tuple[str, str]:
    """Return the type of a data URL, empty where it has none, and its data in base64; some clients send bare data."""
    named = _DATA_URL.fullmatch(url)
    if named is None:
        kind, data = "", url
    elif named["base64"]:
        kind, data = named["type"], named["data"]
    else:
        kind, data = named["type"], base64.b64encode(unquote_to_bytes(named["data"])).decode()
    return kind.strip().lower(), "".join(data.split()).translate(_FROM_URL_SAFE)


def image_type(named: str, data: str) -> str | None:
    """Return the type of base64 data by its first bytes, or else by its name; None where it is unknown."""
    try:
        start = base64.b64decode(data[:16], validate=True)
    except (binascii.Error, ValueError):
        start = b""
    return next((kind for sign, kind in _SIGNATURES if start.startswith(sign)), _IMAGE_TYPES.get(named.lower().strip()))


def source_url(source: dict[str, Any]) -> str:
    """Return the URL of a source of the Messages API; empty where it has none."""
    if source["type"] != "base64":
        return str(source.get("url") or "")
    data = str(source["data"])
    return f"data:{image_type(source['media_type'], data) or source['media_type']};base64,{data}"


def document_parts(block: dict[str, Any]) -> list[Part]:
    """Return a document of the Messages API as parts of a chat message."""
    source = block["source"]
    match source["type"]:
        case "base64" | "url":
            file = {"filename": str(block.get("title") or "document.pdf"), "file_data": source_url(source)}
            return [{"type": "file", "file": file}]
        case "text":
            return [{"type": "text", "text": str(source["data"])}]
        case "content":
            return block_parts(source["content"])
        case _:
            return [{"type": "text", "text": "[document]"}]


def document_block(file: dict[str, Any]) -> Part | None:
    """Return a file of a chat message as a document of the Messages API; None for one that it does not take."""
    url, title = str(file.get("file_data") or ""), file.get("filename")
    titled = {"title": title} if title and title != "document.pdf" else {}
    if url.lower().startswith(("http://", "https://")):
        return {"type": "document", "source": {"type": "url", "url": url}, **titled}
    kind, data = _type_and_data(url)
    if data and (kind == _PDF or data.startswith("JVBERi")):
        source = {"type": "base64", "media_type": _PDF, "data": data}
    elif kind.startswith("text/") or kind == "application/json":
        source = {"type": "text", "media_type": "text/plain", "data": _text_of_data(data)}
    else:
        return None
    return {"type": "document", "source": source, **titled}


def _text_of_data(data: str) -> str:
    try:
        return base64.b64decode(data).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return data


def block_parts(content: Any) -> list[Part]:
    """Return the content of a message or of a tool's result in the Messages API as parts of a chat message."""
    if content is None or isinstance(content, str):
        return content_parts(content)
    found: list[Part] = []
    for block in content:
        match block["type"]:
            case "text":
                found.append({"type": "text", "text": block["text"]})
            case "image":
                url = source_url(block["source"])
                found.append({"type": "image_url", "image_url": {"url": url}} if url else _type_as_text(block))
            case "document":
                found += document_parts(block)
            case "search_result":
                said = [block["title"], block["source"], text_of_parts(block["content"])]
                found.append({"type": "text", "text": "\n".join(said)})
            case _:
                found.append(_type_as_text(block))
    return found


def _type_as_text(part: Part) -> Part:
    return {"type": "text", "text": f"[{part['type']}]"}


def blocks_of_parts(content: Any) -> list[Part]:
    """Return the content of a chat message as blocks of the Messages API, which refuses empty texts."""
    found: list[Part] = []
    for part in content_parts(content):
        match part["type"]:
            case "text" | "refusal":
                text = part.get("text") or part.get("refusal") or ""
                found += [{"type": "text", "text": text}] if text.strip() else []
            case "image_url":
                source = image_source(part_url(part))
                found.append({"type": "image", "source": source} if source else _unseen_text(part))
            case "file":
                found.append(document_block(part["file"]) or _unseen_text(part))
            case kind if kind in THOUGHTS:
                pass
            case _:
                found.append(_type_as_text(part))
    return found


def _unseen_text(part: Part) -> Part:
    return {"type": "text", "text": _UNSEEN[part["type"]]}
