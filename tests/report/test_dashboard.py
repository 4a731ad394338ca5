"""Optuna Dashboard on a study, over HTTP."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nas_kd.errors import Unusable, UnusableStudy
from nas_kd.report.dashboard import dashboard
from nas_kd.study.folder import StudyFolder
from nas_kd.study.view import StudyView

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def served(folder: StudyFolder, writable: bool = False) -> Iterator[str]:
    with dashboard(folder, "127.0.0.1", 0, writable) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ask(url: str, method: str = "GET") -> tuple[int, bytes]:
    request = urllib.request.Request(url, method=method)
    try:
        with DIRECT.open(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_dashboard_shows_two_named_objectives_and_feasible_trials(study: StudyView) -> None:
    with served(study.folder) as url:
        status, content = ask(f"{url}/api/studies/1")
    facts = json.loads(content)
    assert status == 200
    assert facts["objective_names"] == ["validation accuracy", "parameters"]
    assert facts["directions"] == ["maximize", "minimize"]
    assert len(facts["trials"]) == 8
    assert all(not trial["constraints"] for trial in facts["trials"])
    names = {param["name"] for param in facts["union_search_space"]}
    assert {"family", "depth", "width", "temperature", "alpha"} <= names


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_dashboard_only_reads(study: StudyView, method: str) -> None:
    with served(study.folder) as url:
        status, content = ask(f"{url}/api/studies/1", method)
        assert status == 403
        assert b"--writable" in content
        assert ask(f"{url}/api/studies", "GET")[0] == 200


def test_a_writable_dashboard_passes_writing_on(study: StudyView) -> None:
    with served(study.folder, writable=True) as url:
        status, content = ask(f"{url}/api/studies/999", "DELETE")
    assert status != 403
    assert b"--writable" not in content


def test_a_port_in_use_names_the_flag(study: StudyView) -> None:
    with served(study.folder) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(Unusable, match="--port"):
            dashboard(study.folder, "127.0.0.1", port, False)


def test_a_folder_without_a_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableStudy, match="holds no study"):
        dashboard(StudyFolder(tmp_path), "127.0.0.1", 0, False)


def test_a_page_that_comes_by_another_name_is_refused(study: StudyView) -> None:
    with served(study.folder) as url:
        port = url.rpartition(":")[2]
        for name, expected in (("evil.example", 403), ("localhost", 200), ("127.0.0.1", 200)):
            request = urllib.request.Request(
                f"{url}/api/studies", headers={"Host": f"{name}:{port}"}
            )
            try:
                with DIRECT.open(request, timeout=20) as answer:
                    status = answer.status
            except urllib.error.HTTPError as error:
                status = error.code
                error.close()
            assert status == expected, name
