"""Links in the documents beside the site: `make docs` checks those of its pages."""

import re

import pytest
from support.serving import ROOT

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
PAGES = [str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")]


def links_in(text: str) -> list[str]:
    without_code = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", without_code) if "://" not in link]


def anchors_in(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+?)(?: \{.*\})?$", text, re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_to_a_file_and_a_heading(name):
    folder = (ROOT / name).parent
    links = links_in((ROOT / name).read_text())
    for link in links:
        path, _, anchor = link.partition("#")
        target = folder / path if path else ROOT / name
        assert target.exists(), link
        assert not anchor or anchor in anchors_in(target.read_text()), link


def test_the_readme_leads_to_every_page_that_is_written_by_hand():
    linked = {link.partition("#")[0] for link in links_in((ROOT / "README.md").read_text())}
    generated = (ROOT / "docs" / ".gitignore").read_text()
    by_hand = {page for page in PAGES if page.removeprefix("docs") not in generated}
    indexes = {"docs/index.md", "docs/how-to/index.md", "docs/reference/index.md", "docs/explanation/index.md"}
    indexes |= {"docs/reference/python.md"}  # without names where it is not built
    assert {page for page in by_hand - indexes if not page.startswith("docs/decisions/0")} - linked == set()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200
