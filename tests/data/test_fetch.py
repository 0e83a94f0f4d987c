"""Files are found, downloaded once and always verified."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from rich.console import Console

from neurosim.checks import DataError
from neurosim.data import fetch as fetching
from neurosim.data.fetch import PublishedFile, fetch, location

CONTENT = b"pixels" * 1000
MD5 = hashlib.md5(CONTENT).hexdigest()


def published(url: str = "http://127.0.0.1:9/", md5: str = MD5) -> PublishedFile:
    return PublishedFile(dataset="tiny", name="images.gz", url=url + "images.gz", md5=md5)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSIM_DATA", str(tmp_path))
    (tmp_path / "tiny").mkdir()
    return tmp_path / "tiny"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSIM_DATA", "")
    monkeypatch.setattr(fetching.pooch, "os_cache", lambda project: tmp_path / project)
    return tmp_path / "neurosim" / "tiny"


@pytest.fixture
def server(tmp_path):
    """A publisher on this machine; yields its address and the paths asked for."""
    root, asked = tmp_path / "published", []
    root.mkdir()
    (root / "images.gz").write_bytes(CONTENT)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=root)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/", asked
        http.shutdown()
        thread.join()


def test_a_file_in_the_folder_is_used(folder):
    (folder / "images.gz").write_bytes(CONTENT)
    assert fetch(published()) == folder / "images.gz"


def test_a_missing_file_in_the_folder_is_not_downloaded(folder, server):
    url, asked = server
    with pytest.raises(DataError, match=r"tiny/images\.gz must exist, as NEUROSIM_DATA.*unset"):
        fetch(published(url))
    assert not asked
    assert not list(folder.iterdir())


def test_a_wrong_checksum_names_file_expected_found_and_remedy(folder):
    path = folder / "images.gz"
    path.write_bytes(CONTENT[:-1])
    found = hashlib.md5(CONTENT[:-1]).hexdigest()
    with pytest.raises(DataError, match=rf"{path} must .* {MD5}; got {found} .*delete it"):
        fetch(published())
    assert path.read_bytes() == CONTENT[:-1]


def test_a_file_that_changes_is_verified_again(folder):
    path = folder / "images.gz"
    path.write_bytes(CONTENT)
    fetch(published())
    path.write_bytes(CONTENT + b"!")
    with pytest.raises(DataError, match="checksum"):
        fetch(published())


def test_a_download_happens_once(cache, server):
    url, asked = server
    assert fetch(published(url)) == cache / "images.gz" == location(published(url))
    assert fetch(published(url)).read_bytes() == CONTENT
    assert asked == ["/images.gz"]


def test_a_download_with_a_wrong_checksum_leaves_nothing(cache, server):
    wrong = "0" * 32
    with pytest.raises(DataError, match=rf"checksum; got: .*{wrong}.*{MD5}.*NEUROSIM_DATA"):
        fetch(published(server[0], md5=wrong))
    assert not list(cache.iterdir())


def test_a_missing_page_is_one_clear_line(cache, server):
    with pytest.raises(DataError, match=r"must be downloadable; got: HTTPError: 404") as caught:
        fetch(published(server[0] + "elsewhere/"))
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_no_network_names_the_folder_to_use_instead(cache):
    with pytest.raises(DataError, match=r"ConnectionError.*folder tiny/ and set NEUROSIM_DATA"):
        fetch(published())


def test_an_unwritable_cache_is_a_data_error(cache, server):
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"must be downloadable.*set NEUROSIM_DATA"):
        fetch(published(server[0]))


def test_a_terminal_sees_progress(cache, server, monkeypatch):
    console = Console(force_terminal=True, record=True, width=100, stderr=True)
    monkeypatch.setattr(fetching, "Console", lambda **_: console)
    fetch(published(server[0]))
    assert "6.0/6.0 kB" in console.export_text()
