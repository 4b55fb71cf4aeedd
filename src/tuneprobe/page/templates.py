"""The page templates: Jinja with escaping, strict names and the filters of `wording`."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tuneprobe.page.files import csv_address
from tuneprobe.page.wording import number, plain, unbroken


def render(template: str, **values: Any) -> str:
    """A filled template, which also gets ``css``, the style of all pages."""
    environment = Environment(
        loader=PackageLoader("tuneprobe.page", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "number": number, "unbroken": unbroken}
    environment.filters["csv_address"] = csv_address
    style = files("tuneprobe.page").joinpath("page.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(css=style, **values)
