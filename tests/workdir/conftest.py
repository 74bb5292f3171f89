"""What the tests of files share: a folder on a disk and one in an object store."""

import pytest


@pytest.fixture(params=["disk", "ram"])
def folder(request, tmp_path):
    return str(tmp_path) if request.param == "disk" else f"ram://{tmp_path.name}"
