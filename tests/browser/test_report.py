"""The report in a real browser: nothing fetched, nothing run that is text, nothing cut off."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

import rnnscope as rs
from rnnscope.studies.study import default_recipe

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (on Debian: apt-get install chromium)")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(text: str, tmp_path_factory: pytest.TempPathFactory) -> rs.Study:
    evil = "# </script><script>window.stolen = 1</script> <img src=x onerror='window.stolen = 1'> <!-- &lt;\n"
    corpus = rs.Corpus.from_text(
        (text * 3).replace("\n\n\nclass", f"\n{evil}\nclass"), name="<script>window.stolen = 1</script>", language="python"
    )
    return rs.study(
        corpus, tmp_path_factory.mktemp("studies") / "s", recipe=default_recipe(rs.Architecture("lstm", 2, 8), updates=60)
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(params=[(1440, "light"), (1440, "dark"), (400, "light"), (400, "dark")], ids=str)
def page(request: pytest.FixtureRequest, browser: Any, finished: rs.Study) -> Iterator[Any]:
    width, scheme = request.param
    shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    shown.problems, shown.requests = [], []
    shown.on("console", lambda message: shown.problems.append(message.text))
    shown.on("pageerror", lambda error: shown.problems.append(str(error)))
    shown.on("request", lambda asked: shown.requests.append(asked.url))
    shown.goto(finished.report.as_uri())
    yield shown
    shown.close()


def test_the_page_stands_alone(page: Any) -> None:
    assert page.problems == []
    assert len(page.requests) == 1
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_text_is_shown_and_never_run(page: Any) -> None:
    assert page.evaluate("window.stolen") is None
    assert "<script>window.stolen = 1</script>" in page.inner_text("h1")
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    shown = page.evaluate("[...document.querySelectorAll('.heatmap')].map(e => e.textContent).join('')")
    assert "</script><script>window.stolen = 1</script>" in shown


def test_every_claim_has_its_coloured_text(page: Any, finished: rs.Study) -> None:
    cards = page.query_selector_all(".card")
    assert len(cards) == len(finished.units) > 12
    sources = json.loads(page.inner_text("#sources") or page.evaluate("document.getElementById('sources').textContent"))
    for card in cards:
        source = sources[card.get_attribute("id")]
        assert card.query_selector("pre").text_content().replace("↵\n", "\n") == source["text"]
    tones = page.evaluate(
        "[...new Set([...document.querySelectorAll('.heatmap span')].map(e => getComputedStyle(e).backgroundColor))].length"
    )
    assert tones > 20


def test_a_symbol_under_the_pointer_is_read_out(page: Any) -> None:
    symbol = page.query_selector(".heatmap span:nth-child(5)")
    symbol.scroll_into_view_if_needed()
    symbol.hover()
    assert page.query_selector(".card output").inner_text().startswith("position ")


def test_marks_are_underlined_and_pointed_out(page: Any) -> None:
    assert page.evaluate("getComputedStyle(document.querySelector('.heatmap .m')).textDecorationLine") == "underline"


def test_ink_stands_out_from_every_tone(page: Any) -> None:
    """WCAG contrast of the text on the strongest red and blue."""
    contrast = page.evaluate(
        """() => {
          const context = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
          const luminance = (colours) => {
            for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
            const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
              .map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const card = getComputedStyle(document.querySelector(".card")).backgroundColor;
          return ["n", "p"].map((tone) => {
            const span = document.createElement("span");
            span.className = tone;
            span.style.setProperty("--v", "1");
            document.querySelector(".heatmap").append(span);
            const style = getComputedStyle(span);
            const [a, b] = [luminance([card, style.backgroundColor]), luminance([style.color])];
            span.remove();
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          });
        }"""
    )
    assert min(contrast) > 4.5


@pytest.mark.parametrize("width", [600, 800, 1000, 1200, 1400])
def test_the_table_of_claims_fits(browser: Any, finished: rs.Study, width: int) -> None:
    """Also where names and numbers are as long as they are in a larger study."""
    shown = browser.new_page(viewport={"width": width, "height": 900})
    shown.goto(finished.report.as_uri())
    shown.evaluate(
        """() => { for (const row of document.querySelectorAll("#claims tbody tr")) {
          const cells = row.querySelectorAll("td");
          cells[0].querySelector("code").textContent = "layer10/hidden[229]";
          for (const [k, text] of [[1, "0.999 ρ"], [2, "-0.993–0.997"], [7, "0.00012"], [8, "0.0024"]]) cells[k].textContent = text;
        } }"""
    )
    box = shown.query_selector("#claims .scroll")
    assert box.evaluate("e => e.scrollWidth <= e.clientWidth")
    shown.close()
