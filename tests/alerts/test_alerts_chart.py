"""The picture of a mail: what is in its pixels, and where it stands in the mail."""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor

from alerts import chart
from monitor.core.chart import LEAST_POINTS, facts
from monitor.core.lasthour import EVERY, Point, Series
from monitor.core.model import Happening, Role
from tests.alerts.sample import COMMON, DOMAIN, INCIDENT, NOW, ON_CALL, composer, inventory, notification
from tests.alerts.test_alerts_compose import part

NEVER = NOW - timedelta(days=1)


def series(*points: tuple[float, float], role: Role = Role.LINK) -> Series:
    """Seconds and loss, a minute apart, up to now."""
    first = NOW - (len(points) - 1) * EVERY
    return Series(
        role=role,
        points=tuple(
            Point(at=first + number * EVERY, seconds=seconds, lost=lost)
            for number, (seconds, lost) in enumerate(points)
        ),
    )


WELL = series(*[(0.004, 0.0)] * 60)
CUT = series(*[(0.004, 0.0)] * 50, *[(math.nan, 1.0)] * 10)


def pixels(drawn: Series, colour: str, began: object = NEVER) -> list[tuple[int, int]]:
    """Where about this colour is: the picture has few of them."""
    image = Image.open(BytesIO(chart.draw(drawn, began))).convert("RGB")  # type: ignore[arg-type]
    assert image.size == (chart.WIDTH, chart.HEIGHT)
    wanted = ImageColor.getrgb(colour)
    data = image.load()
    assert data is not None
    return [
        (x, y)
        for x in range(chart.LEFT, chart.WIDTH)
        for y in range(chart.HEIGHT)
        if all(abs(is_ - should) <= 24 for is_, should in zip(data[x, y], wanted, strict=False))  # type: ignore[arg-type]
    ]


def test_a_line_that_is_well_is_one_line_from_side_to_side_and_nothing_is_lost() -> None:
    across = [x for x, _ in pixels(WELL, chart.LINE)]
    assert max(across) - min(across) > 0.9 * (chart.WIDTH - chart.LEFT - chart.RIGHT)
    assert pixels(WELL, chart.LOST) == []
    assert pixels(WELL, chart.MARK) == []


def test_a_cut_ends_the_line_and_is_marked_where_it_began() -> None:
    end = max(x for x, _ in pixels(CUT, chart.LINE))
    lost = [x for x, _ in pixels(CUT, chart.LOST)]
    assert min(lost) > end - 20
    assert max(lost) >= chart.WIDTH - chart.RIGHT - 1
    (mark,) = {x // 8 for x, _ in pixels(CUT, chart.MARK, NOW - 10 * EVERY)}
    assert abs(mark * 8 - end) < 20


def test_more_time_is_higher_and_more_loss_is_taller() -> None:
    slow = series(*[(0.004, 0.0)] * 30, *[(0.018, 0.0)] * 30)
    places = pixels(slow, chart.LINE)
    assert min(y for _, y in places) < max(y for _, y in places) - 80
    some, all_ = (pixels(series(*[(0.004, lost)] * 60), chart.LOST) for lost in (0.3, 1.0))
    assert len(all_) > 2 * len(some) > 0


TIMES = st.one_of(st.just(math.nan), st.floats(0, 1e6, allow_nan=False))


@settings(max_examples=60)
@given(st.lists(st.tuples(TIMES, st.one_of(st.just(math.nan), st.floats(0, 1))), min_size=LEAST_POINTS, max_size=61))
def test_whatever_was_measured_is_drawn(points: list[tuple[float, float]]) -> None:
    drawn = series(*points)
    assert chart.draw(drawn, NOW).startswith(b"\x89PNG")
    assert len(chart.draw(drawn, NOW)) < 20_000
    facts(drawn)


# -- in the mail -------------------------------------------------------------------------------------------------------


def mail(
    drawn: Series | None = CUT, what: Happening = Happening.OPENED, language: str = "vi", common: bool = False
) -> EmailMessage:
    writer = composer(last_hour=lambda _: drawn)
    told = notification(what, replace(ON_CALL, language=language), COMMON if common else INCIDENT)
    return writer.compose(told, inventory(), NOW)


def shape(message: EmailMessage) -> list[str]:
    return [each.get_content_type() for each in message.walk()]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_picture_is_beside_the_html_that_shows_it_with_its_text(language: str) -> None:
    made = mail(language=language)
    assert shape(made) == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    page, picture = html.unescape(part(made, "html")), list(made.walk())[-1]
    (source, told) = re.findall(r'<img src="cid:([^"]+)" alt="([^"]+)"', page)[0]
    assert picture["Content-ID"] == f"<{source}>"
    assert source.endswith(f"@{DOMAIN}")
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content().startswith(b"\x89PNG")
    assert told in part(made, "plain").replace("\r\n", "\n")
    assert told == {
        "vi": "59 phút qua: thời gian khứ hồi thường 4 ms, thấp nhất 4 ms, cao nhất 4 ms; mất gói nhiều nhất 100 %.",
        "en": "Last 59 minutes: round trip usually 4 ms, least 4 ms, most 4 ms; at most 100 % lost.",
    }[language]  # fmt: skip


def test_nothing_is_drawn_where_nothing_is_known_or_it_would_say_nothing() -> None:
    few = series(*[(0.004, 0.0)] * (LEAST_POINTS - 1))
    plain = ["multipart/alternative", "text/plain", "text/html"]
    for made in (
        mail(None), mail(few), mail(common=True), mail(what=Happening.ACKNOWLEDGED), mail(what=Happening.WITHDRAWN)
    ):  # fmt: skip
        assert shape(made) == plain
        assert "<img" not in part(made, "html")


def test_a_service_that_did_not_answer_at_all_has_no_times() -> None:
    made = mail(series(*[(math.nan, 1.0)] * 10, role=Role.SERVICE), language="en")
    assert "time to answer usually –, least –, most –; some runs failed." in part(made, "plain")


def test_a_picture_that_fails_costs_no_mail(caplog: pytest.LogCaptureFixture) -> None:
    nothing = Series(role=Role.LINK, points=(*WELL.points[:-1], replace(WELL.points[0], at=None)))  # type: ignore[arg-type]
    made = mail(nothing)
    assert shape(made) == ["multipart/alternative", "text/plain", "text/html"]
    assert "Gọi VNPT" in part(made, "plain")
    assert "its mail goes out without" in caplog.text
