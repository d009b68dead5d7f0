"""Pictures and documents keep what they are in both protocols, and are said where they cannot be shown."""

import base64

import pytest

from weakspot.protocols.media import (
    block_parts,
    blocks_of_parts,
    document_block,
    document_parts,
    has_media,
    image_source,
    image_url,
    refuses_media,
    without_media,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAA"
JPEG = "/9j/4AAQSkZJRgABAQ=="
PDF = base64.b64encode(b"%PDF-1.7 any").decode()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (f"data:image/jpg;base64,{JPEG}", "image/jpeg"),
        (f"data:image/JPEG;base64,{JPEG}", "image/jpeg"),
        ("data:image/png,%89PNG%0D%0A", "image/png"),
        (PNG, "image/png"),
        ("data:;base64,iVBORw0KGgo_-AAA", "image/png"),
        (f"data:image/x-png;base64,{PNG}", "image/png"),
        (f"data:image/jpeg;base64,{PNG}", "image/png"),
        (f"data:;base64,{PNG}", "image/png"),
        (f"data:image/png;charset=utf-8;base64,{PNG[:8]}\n{PNG[8:]}", "image/png"),
        ("data:image/jpg;base64,AAAA", "image/jpeg"),
        ("data:image/png;base64,AAAA", "image/png"),
    ],
)
def test_a_picture_has_the_type_of_its_data_or_else_of_its_name(url, kind):
    source = image_source(url)
    assert source["media_type"] == kind
    assert "\n" not in source["data"]
    assert image_url(url) == f"data:{kind};base64,{source['data']}"


@pytest.mark.parametrize(
    "url", ["data:image/svg+xml,<svg/>", "data:image/bmp;base64,Qk0=", "data:image/png;base64,", "file:///a.png", ""]
)
def test_a_picture_that_the_teacher_does_not_take_is_said(url):
    assert image_source(url) is None
    assert image_url(url) == url
    [block] = blocks_of_parts([{"type": "image_url", "image_url": {"url": url}}])
    assert block == {"type": "text", "text": "[image: this model cannot see it]"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
        {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        },
        {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
    ],
)
def test_a_document_is_one_in_both_protocols(block):
    [part] = document_parts(block)
    assert part["type"] == "file"
    assert document_block(part["file"]) == block


def test_documents_of_text_and_of_blocks_are_what_they_hold():
    text = {"type": "text", "text": "the page"}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    assert document_parts({"source": {"type": "text", "media_type": "text/plain", "data": "the page"}}) == [text]
    assert document_parts({"source": {"type": "content", "content": "the page"}}) == [text]
    parts = document_parts({"source": {"type": "content", "content": [text, image]}})
    assert blocks_of_parts(parts) == [text, image]
    assert document_parts({"source": {"type": "file", "file_id": "f"}}) == [{"type": "text", "text": "[document]"}]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ({"file_data": PDF}, {"type": "base64", "media_type": "application/pdf", "data": PDF}),
        (
            {"file_data": f"data:text/csv;base64,{base64.b64encode(b'a;b').decode()}"},
            {"type": "text", "media_type": "text/plain", "data": "a;b"},
        ),
    ],
)
def test_files_of_a_chat_are_documents(file, source):
    assert document_block(file) == {"type": "document", "source": source}


@pytest.mark.parametrize("file", [{}, {"file_id": "f"}, {"file_data": "data:application/zip;base64,UEsDBA=="}])
def test_files_that_the_teacher_does_not_take_are_said(file):
    assert document_block(file) is None
    assert blocks_of_parts([{"type": "file", "file": file}])[0]["text"] == "[document: this model cannot read it]"


def test_what_a_search_found_is_text():
    block = {"type": "search_result", "title": "T", "source": "u", "content": [{"type": "text", "text": "found"}]}
    assert block_parts([block]) == [{"type": "text", "text": "T\nu\nfound"}]
    assert block_parts([{"type": "tool_reference", "tool_name": "t"}]) == [{"type": "text", "text": "[tool_reference]"}]


def test_who_cannot_see_is_told_what_there_was():
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    chat = [{"role": "user", "content": [{"type": "text", "text": "see"}, image]}, {"role": "user", "content": "b"}]
    assert has_media(chat)
    assert without_media(chat) == [
        {"role": "user", "content": "see\n[image: this model cannot see it]"},
        {"role": "user", "content": "b"},
    ]
    assert not has_media(without_media(chat))


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj", True),
        (400, "At most 0 image(s) may be provided in one prompt.", True),
        (404, "No endpoints found that support image input", True),
        (400, "qwen3 is not a multimodal model", True),
        (400, "the prompt is too long", False),
        (401, "no key for images", False),
        (429, "too many images", False),
    ],
)
def test_a_refusal_to_see_is_known(status, text, expected):
    assert refuses_media(status, text) is expected
