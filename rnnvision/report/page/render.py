"""A page -> one HTML file that needs nothing else, with the PNG of each group of plots beside it."""

import base64
from importlib.resources import files
from pathlib import Path

from rnnvision.atomic import whole
from rnnvision.report.page.blocks import Page, Plot, Plots
from rnnvision.report.page.drawing import save_png, svg
from rnnvision.report.page.pictures import data_address
from rnnvision.report.page.terms import explained
from rnnvision.report.page.words import printable


def write_page(path: Path, page: Page) -> list[str]:
    """Write `path` and the PNG files beside it; returns the names of the latter.

    Raises:
        ImportError: where matplotlib or jinja2 is not installed.
    """
    html = render(page)
    files = {name: drawn for block in _plots(page) for name, drawn in block.files.items()}
    for name, drawn in files.items():
        save_png(path.parent / name, drawn)
    with whole(path) as file:
        file.write(html)
    return list(files)


def _plots(page: Page) -> list[Plots]:
    return [block for section in page.sections for block in section.blocks if isinstance(block, Plots)]


def render(page: Page) -> str:
    """The page as HTML. What a user has named is escaped; only our own SVG and style go in as they are.

    Raises:
        ImportError: where matplotlib or jinja2 is not installed.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    here = files("rnnvision.report.page")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((here / "page.html.jinja").read_text(encoding="utf-8"))
    count = iter(range(10**6))

    def drawing(plot: Plot) -> Markup:
        return Markup(svg(plot, f"p{next(count)}"))

    terms = explained(dict.fromkeys(term for section in page.sections for term in section.terms))
    style = Markup((here / "page.css").read_text(encoding="utf-8"))
    made = template.render(page=page, style=style, drawing=drawing, address=data_address, terms=terms, icon=_ICON)
    return printable(made)


_ICON = "data:image/svg+xml;base64," + base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="#0072b2">'
    b'<rect x="1" y="2" width="14" height="2"/><rect x="1" y="6" width="14" height="2"/>'
    b'<rect x="1" y="10" width="7" height="2"/></g></svg>'
).decode("ascii")  # without an icon of its own a browser asks the server for one
