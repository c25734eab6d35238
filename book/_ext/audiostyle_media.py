"""Sounds, videos and figures as files beside the pages.

A notebook holds what it shows inside itself, so that it can be mailed and opened anywhere. A page
of the book need not: on a phone nobody should wait for eighteen sounds before the first sentence.
What a cell has embedded is written to the folder ``_media`` of the built book, and the page is told
to fetch it when the reader comes near it. A large script that only draws icons goes, too.
"""

import base64
import hashlib
import io
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

from PIL import Image

FOLDER = "_media"
# Below this size a second request takes longer than the text that it would save.
SMALL = 2_000  # letters
ENDINGS = {
    "audio/mpeg": "mp3",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
}
_EMBEDDED = re.compile(
    r'(?P<name>src|poster)="data:(?P<kind>(?:audio|video|image)/[\w+.-]+)'
    r'(?:;charset=[\w-]+)?(?P<base64>;base64)?,(?P<data>[^"]*)"'
)
_ICONS = re.compile(r'<script\b[^>]*src="[^"]*/fontawesome\.js[^"]*"[^>]*></script>\s*')
_PLAYER = re.compile(r'(<(?:audio|video)\b[^>]*?)preload="metadata"')


def write_media(app, pagename, templatename, context, doctree):
    """Move what a page has embedded into files, and have players wait for the reader."""
    body = context.get("body")
    if not body or "data:" not in body:
        return
    folder = Path(app.outdir) / FOLDER
    back = "../" * pagename.count("/")

    def moved(found):
        ending = ENDINGS.get(found["kind"])
        if ending is None or len(found["data"]) < SMALL:
            return found[0]
        content = unquote_to_bytes(found["data"])
        if found["base64"]:
            content = base64.b64decode(content, validate=True)
        return f'{found["name"]}="{back}{FOLDER}/{keep(folder, *smallest(content, ending))}"'

    context["body"] = _PLAYER.sub(r'\1preload="none"', _EMBEDDED.sub(moved, body))
    app.add_js_file("media.js", loading_method="defer")


def smallest(content, ending):
    """Write a PNG as WebP where that is smaller; no point of the picture changes."""
    if ending != "png":
        return content, ending
    stream = io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        picture.save(stream, "WEBP", lossless=True)
    return min((content, ending), (stream.getvalue(), "webp"), key=lambda one: len(one[0]))


def keep(folder, content, ending):
    """Write a file that is named after its content, once, and return its name."""
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.{ending}"
    path = folder / name
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{name}.{os.getpid()}")
        draft.write_bytes(content)
        os.replace(draft, path)
    return name


def drop_icon_script(app, exception):
    """Do without 1.5 MB of script: the theme's style sheet has the same icons as fonts."""
    if exception or app.builder.name != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        lighter = _ICONS.sub("", text)
        if lighter != text:
            page.write_text(lighter, encoding="utf-8")
    Path(app.outdir, "_static", "scripts", "fontawesome.js").unlink(missing_ok=True)


def setup(app):
    app.connect("html-page-context", write_media)
    app.connect("build-finished", drop_icon_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
