"""The plugin: which files it gives, and to whom."""

import functools

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugins import phoenix_pages


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    for kind in ("pages", "docs"):
        page = folder / kind / "2026-01-01" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f"<h1>{kind}</h1>")
    (folder / "pointers").mkdir()
    (folder / "pointers/secret").write_text("secret")
    (folder / "pages/way-out").symlink_to("../pointers")
    return folder


@pytest.mark.parametrize("kind", ["pages", "docs"])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_pages_and_docs_are_given(store, kind, scheme):
    content = phoenix_pages.read_page(f"{scheme}{store}", kind, "2026-01-01/index.html")
    assert content == f"<h1>{kind}</h1>".encode()


@pytest.mark.parametrize(
    "path",
    [
        "../pointers/secret",
        "2026-01-01/../../pointers/secret",
        "way-out/secret",
        "/etc/passwd",
        "//etc/passwd",
        "",
        ".",
        "2026-01-01",
        "2026-01-01/index.html/more",
        "nul\0",
        "2027-01-01/index.html",
    ],
)
def test_nothing_else_is_given(store, path):
    assert phoenix_pages.read_page(str(store), "pages", path) is None


def test_a_bucket_gives_its_pages_and_nothing_else():
    bucket = fsspec.filesystem("memory")
    bucket.pipe({"/store/pages/index.html": b"page", "/store/secret": b"secret"})
    read = functools.partial(phoenix_pages.read_page, "memory://store", "pages")
    assert read("index.html") == b"page"
    assert read("../secret") is None
    assert read("2026-01-01/../../secret") is None


def test_no_other_folder_of_the_store_is_given(store):
    assert phoenix_pages.read_page(str(store), "pointers", "secret") is None


@given(st.lists(st.sampled_from(["..", ".", "pointers", "secret", "way-out", "2026-01-01", ""])))
def test_no_combination_of_names_leads_out(store, parts):
    assert phoenix_pages.read_page(str(store), "pages", "/".join(parts)) is None


def test_nothing_in_a_page_can_run_or_load_from_elsewhere():
    policy = phoenix_pages.HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "http" not in policy
