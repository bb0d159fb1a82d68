"""`traceparent`: what is one, and the URL of its trace."""

import pytest

from jobtracker.core.traceparent import read, trace_url
from jobtracker.settings import Settings, SettingsError

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TEXT = f"00-{TRACE}-{SPAN}-01"


def test_a_text_names_its_trace_and_span():
    named = read(TEXT)
    assert (named.trace_id, named.span_id, named.is_sampled, str(named)) == (TRACE, SPAN, True, TEXT)


NO_TRACE, NO_SPAN = f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01"


@pytest.mark.parametrize(
    "text", [None, 7, "", "x", TEXT[:-1], TEXT + "-", TEXT.upper(), NO_TRACE, NO_SPAN, f"ff-{TRACE}-{SPAN}-01"]
)
def test_other_texts_name_none(text):
    assert read(text) is None


def test_a_trace_that_is_recorded_has_a_url():
    assert trace_url("https://t.example/{trace_id}?at={span_id}", TEXT) == f"https://t.example/{TRACE}?at={SPAN}"
    assert trace_url("", TEXT) is None
    assert trace_url("https://t.example/{trace_id}", None) is None
    assert trace_url("https://t.example/{trace_id}", f"00-{TRACE}-{SPAN}-00") is None


@pytest.mark.parametrize("template", ["https://t.example/{trace_id}", "http://t/{span_id}/{trace_id}/{span_id}#x"])
def test_a_template_has_a_place_for_the_trace(template):
    assert Settings.from_env({"TRACE_URL_TEMPLATE": template}).trace_url_template == template


@pytest.mark.parametrize(
    "template", ["https://t.example/", "ftp://t/{trace_id}", "https://t/{trace_id}{job}", "{trace_id}"]
)
def test_a_template_that_can_not_be_one_is_refused(template):
    with pytest.raises(SettingsError, match="TRACE_URL_TEMPLATE: must be"):
        Settings.from_env({"TRACE_URL_TEMPLATE": template})
