"""Pages in a real browser: Optuna's own dashboard on the study, and the report."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nas_kd.files import write_text
from nas_kd.report.page import page
from nas_kd.report.softened import softened
from nas_kd.study.view import StudyView

pytestmark = pytest.mark.slow

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--window-size=1400,2400",
)  # fmt: skip


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium."""
    if not (CHROMIUM and DRIVER):
        reason = "needs chromium and chromedriver"
        pytest.fail(reason) if os.environ.get("NAS_KD_CI") else pytest.skip(reason)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def dashboard(study: StudyView) -> Iterator[str]:
    """The plain `optuna-dashboard sqlite:///STUDY/study.db`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("optuna-dashboard")
    command = [program, f"sqlite:///{study.folder.sqlite}", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}/dashboard/studies/1"
        wait(lambda: DIRECT.open(url, timeout=5).close() or True)
        yield url
        server.terminate()


def wait(ready: Any, seconds: float = 60) -> Any:
    """What `ready` gives, as soon as it gives something."""
    end = time.monotonic() + seconds
    while True:
        try:
            if found := ready():
                return found
        except OSError:
            pass
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


def options_of(browser: Any, label: str) -> set[str]:
    """What can be picked in the drop-down under a label on the page."""
    from selenium.webdriver.common.by import By

    path = f"//*[text()='{label}']/following::*[@role='combobox'][1]"
    box = wait(lambda: browser.find_elements(By.XPATH, path))[0]
    browser.execute_script(
        "arguments[0].dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))", box
    )
    items = wait(lambda: browser.find_elements(By.XPATH, "//*[@role='option']"))
    texts = {item.get_attribute("textContent").removeprefix("Param ") for item in items}
    browser.execute_script("arguments[0].click()", items[0])
    wait(lambda: not browser.find_elements(By.XPATH, "//*[@role='option']"))
    return texts


NAMES = {"family", "depth", "width", "taper", "temperature", "alpha", "learning_rate"}


def test_optunas_dashboard_shows_the_named_objectives_and_every_parameter(
    browser: Any, dashboard: str
) -> None:
    from selenium.webdriver.common.by import By

    def shown() -> str:
        return str(browser.find_element(By.TAG_NAME, "body").text)

    browser.get(dashboard)
    wait(lambda: "Hyperparameter Importance" in shown())
    wait(lambda: "validation accuracy" in shown())
    wait(lambda: all(name in shown() for name in NAMES))
    assert "Best Trials" in shown()

    browser.get(f"{dashboard}/analytics")
    wait(lambda: "Contour" in shown())
    assert options_of(browser, "Parameter:") >= NAMES
    assert options_of(browser, "x:") >= NAMES
    assert options_of(browser, "Objective:") >= {"validation accuracy", "parameters"}


def test_the_report_draws_its_figures_without_a_network(
    browser: Any, study: StudyView, tmp_path: Path
) -> None:
    from selenium.webdriver.common.by import By

    write_text(tmp_path / "report.html", page(study))
    browser.get((tmp_path / "report.html").as_uri())
    plots = wait(lambda: browser.find_elements(By.CSS_SELECTOR, ".main-svg"))
    assert len(plots) >= 2
    points = browser.find_elements(By.CSS_SELECTOR, ".scatterlayer .point")
    done = [row for row in study.rows if row.accuracy is not None]
    assert len(points) >= 2 * len(done)
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_nothing_in_the_report_is_wider_than_its_page(
    browser: Any, study: StudyView, tmp_path: Path, width: int
) -> None:
    write_text(tmp_path / "report.html", page(study))
    size = {"width": width, "height": 2000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((tmp_path / "report.html").as_uri())
    wait(lambda: browser.execute_script("return document.querySelectorAll('.main-svg').length"))
    wide = browser.execute_script("""
        const right = document.documentElement.clientWidth + 1
        return [...document.querySelectorAll('body *')]
            .filter(one => !one.closest('svg') || one.tagName == 'text')
            .filter(one => one.getBoundingClientRect().right > right)
            .map(one => one.tagName + ' ' + one.textContent.slice(0, 60))""")
    assert wide == []
    texts = browser.execute_script("""
        const box = one => one.getBoundingClientRect()
        const over = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
                               && a.top < b.bottom - 1 && b.top < a.bottom - 1
        const shown = [...document.querySelectorAll('.main-svg text')].filter(one => box(one).width)
        return shown.flatMap((one, at) => shown.slice(at + 1)
            .filter(other => over(box(one), box(other)))
            .map(other => one.textContent + ' over ' + other.textContent))""")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert texts == []


def test_the_sliders_bars_are_the_softened_answers_that_are_stored(
    browser: Any, study: StudyView, tmp_path: Path
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    write_text(tmp_path / "report.html", page(study))
    browser.get((tmp_path / "report.html").as_uri())
    rail = wait(lambda: browser.find_elements(By.CSS_SELECTOR, ".slider-rail-touch-rect"))[0]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", rail)
    bars = """
        const plots = [...document.querySelectorAll('.js-plotly-plot')];
        const plot = plots.find(one => one.layout.sliders);
        const bars = plot.data.filter(one => one.type == 'bar');
        return [plot.layout.sliders[0].active, bars.map(one => [...one.y])];
    """
    examples = softened(study)
    for place, share, temperature in ((0, -0.47, 1.0), (5, 0.47, 20.0)):
        offset = int(share * rail.rect["width"])
        ActionChains(browser).move_to_element_with_offset(rail, offset, 0).click().perform()
        wait(lambda: browser.execute_script(bars)[0] == place)  # noqa: B023
        time.sleep(1)  # the bars follow the handle
        _, shown = browser.execute_script(bars)
        for one, heights in zip(examples, shown, strict=True):
            expected = torch.from_numpy(one.logits_C / temperature).softmax(-1)
            assert heights == pytest.approx(expected.tolist(), abs=1e-9)
