"""Pictures that a notebook shows, with the words that stand for them."""

import base64
import html


class Picture:
    """An image as HTML, with the words that stand for it where it cannot be seen.

    Attributes
    ----------
    alt : str
        The description.
    kind : str
        Media type of the image, "image/svg+xml" or "image/png".
    data : bytes
        The image file.
    size : tuple of int
        Width and height in pixels of the page, so that its place is kept until it is loaded.

    Chapter
    -------
    01_style_transfer
    """

    def __init__(self, alt: str, kind: str, data: bytes, size: tuple[int, int]) -> None:
        self.alt, self.kind, self.data, self.size = alt, kind, data, size

    def _repr_html_(self) -> str:
        source = f"data:{self.kind};base64,{base64.b64encode(self.data).decode('ascii')}"
        return (
            '<figure class="audiostyle-figure">'
            f'<img alt="{html.escape(self.alt, quote=True)}" loading="lazy" '
            f'width="{self.size[0]}" height="{self.size[1]}" '
            f'style="max-width:100%;height:auto" src="{source}"></figure>'
        )

    def __repr__(self) -> str:
        """Give the description, for places that show text alone."""
        return f"Figure: {self.alt}"
