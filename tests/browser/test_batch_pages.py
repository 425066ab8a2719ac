"""The batch pages with their script: a sheet that fills by itself, an upload that shows how far it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.generation.upload_files import folder_files, zip_of
from tests.live import LiveSite

pytestmark = pytest.mark.browser

A_BATCH = """
from pathlib import Path
from tests.generation.factories import make_arms, make_batch
result = make_batch(make_arms(Path({folder!r}))).pk
"""
MAKE_CHUNK = """
from generation.models import Chunk
from generation.runner import make_chunk
make_chunk(Chunk.objects.get(batch={batch}, position={position}).pk)
result = None
"""


@pytest.fixture
def page(chromium: Browser, site: LiveSite) -> Iterator[Page]:
    name = site.python(
        "from django.contrib.auth.models import User\n"
        "result = User.objects.filter(username='ada').exists() or User.objects.create_user('ada', password='ada').pk"
    )
    assert name
    context = chromium.new_context()
    page = context.new_page()
    errors: list[object] = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(f"{site.url}/sign-in/?next=/batches/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "ada")
    page.click("main button[type=submit]")
    yield page
    context.close()
    assert errors == []


def test_the_sheet_fills_without_a_reload(page: Page, site: LiveSite, tmp_path: Path) -> None:
    batch = site.python(A_BATCH.format(folder=str(tmp_path)))
    page.goto(f"{site.url}/batches/{batch}/")
    expect(page.get_by_role("status").first).to_contain_text("0 of 4 pairs")
    page.evaluate("window.stayed = true")
    page.get_by_role("button", name="Cancel").focus()
    site.python(MAKE_CHUNK.format(batch=batch, position=0))
    expect(page.get_by_role("status").first).to_contain_text("2 of 4 pairs")
    expect(page.locator(".sheet img")).to_have_count(4)
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    site.python(MAKE_CHUNK.format(batch=batch, position=1))
    expect(page.locator(".status.is-complete")).to_be_visible()
    expect(page.locator(".sheet img")).to_have_count(8)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert page.evaluate("window.stayed")
    sizes = page.locator(".sheet img").evaluate_all("images => images.map(image => image.naturalWidth)")
    assert sizes == [8] * 8


def test_an_upload_tells_what_is_wrong_and_then_arrives(page: Page, site: LiveSite, tmp_path: Path) -> None:
    (tmp_path / "good.zip").write_bytes(zip_of(folder_files()).file.read())
    (tmp_path / "bad.zip").write_bytes((tmp_path / "good.zip").read_bytes()[:300])
    page.goto(f"{site.url}/batches/upload/")
    page.fill("[name=name]", "from a browser")
    page.set_input_files("[name=images]", tmp_path / "bad.zip")
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert")).to_contain_text("bad.zip is not a readable zip file: truncated")
    page.set_input_files("[name=images]", tmp_path / "good.zip")
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="from a browser")).to_be_visible()
    expect(page.get_by_role("status").first).to_contain_text("4 of 4 pairs")
