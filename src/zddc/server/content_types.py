"""The type that a file is sent with, by its extension: a fixed table, the same on every system."""

import codecs

UNKNOWN = "application/octet-stream"

# What a browser may show; all else is downloaded.
_SHOWN = {
    "application/json": "json geojson",
    "application/pdf": "pdf",
    "application/xhtml+xml": "xhtml xht",
    "application/xml": "xml xsd xsl xslt",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg oga",
    "audio/wav": "wav",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/jpeg": "jpg jpeg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/webp": "webp",
    "image/x-icon": "ico",
    "text/css": "css",
    "text/csv": "csv",
    "text/html": "html htm",
    "text/javascript": "js mjs",
    "text/markdown": "md markdown",
    "text/plain": "txt text log ini cfg toml yaml yml sha256 asc",
    "text/tab-separated-values": "tsv",
    "video/mp4": "mp4 m4v",
    "video/quicktime": "mov",
    "video/webm": "webm",
}
_DOWNLOADED = {
    "application/gzip": "gz tgz",
    "application/msword": "doc dot",
    "application/rtf": "rtf",
    "application/vnd.ms-excel": "xls xlt",
    "application/vnd.ms-outlook": "msg",
    "application/vnd.ms-powerpoint": "ppt pps",
    "application/vnd.ms-project": "mpp",
    "application/vnd.oasis.opendocument.graphics": "odg",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/vnd.oasis.opendocument.text": "odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.rar": "rar",
    "application/vnd.visio": "vsd vsdx",
    "application/x-7z-compressed": "7z",
    "application/x-dgn": "dgn",
    "application/x-step": "ifc",
    "application/x-tar": "tar",
    "application/x-xz": "xz",
    "application/zip": "zip ifczip bcfzip bcf",
    "image/tiff": "tif tiff",
    "image/vnd.dwf": "dwf",
    "image/vnd.dwg": "dwg",
    "image/vnd.dxf": "dxf",
    "message/rfc822": "eml mht mhtml",
    "model/iges": "igs iges",
    "model/mtl": "mtl",
    "model/obj": "obj",
    "model/step": "step stp",
    "model/stl": "stl",
    "model/gltf+json": "gltf",
    "model/gltf-binary": "glb",
}
_TYPES = {
    extension: content_type
    for table in (_SHOWN, _DOWNLOADED)
    for content_type, extensions in table.items()
    for extension in extensions.split()
} | {"rvt": UNKNOWN, "rfa": UNKNOWN, "nwd": UNKNOWN}


def content_type(name: str) -> str:
    """Return the type of a file, by what stands after the last dot of its name, in any letter case."""
    return _TYPES.get(name.rpartition(".")[2].lower(), UNKNOWN) if "." in name else UNKNOWN


def is_shown(content_type: str) -> bool:
    """Return whether a browser shows files of a type; it downloads the others."""
    return content_type in _SHOWN


def with_charset(content_type: str, start: bytes, is_whole: bool) -> str:
    """Return the type of a text with its encoding, where its first bytes are UTF-8; any other type as it is."""
    if not content_type.startswith("text/"):
        return content_type
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, is_whole)
    except UnicodeDecodeError:
        return content_type
    return f"{content_type}; charset=utf-8"
