"""What is shown of arguments: never what is masked, in whatever way it is given."""

import inspect
import json
import time
from typing import Annotated, Any

import pytest
from celery import Celery, Task
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, SecretStr

from jobtracker import tracked
from jobtracker.core.declarations import argument_rule
from jobtracker.core.masking import ALL, MASK, ArgumentRule, mask_secrets, stored_when_begun, stored_when_sent

app = Celery("arguments", set_as_current=False)
SECRET = "hunter2-hunter2"


def rule_of(function: Any, **options: Any) -> ArgumentRule:
    return argument_rule(app.task(tracked(**options)(function), name=f"{function.__name__}-{id(function)}"))


def two(amount, card): ...


def take(amount, *cards, plain=0, **secrets): ...


def rest(**payload): ...


def pay(amount, card=None, *extras, currency="EUR", **details): ...


PAY = rule_of(pay, mask={"card"})


@pytest.mark.parametrize(
    ("args", "kwargs", "shown_args", "shown_kwargs"),
    [
        ((5, SECRET), {}, (5, MASK), {}),
        ((5,), {"card": SECRET}, (5,), {"card": MASK}),
        (({"card": SECRET}, {"number": SECRET}), {}, ({"card": MASK}, MASK), {}),
        (
            (5, None),
            {"parts": [{"card": [SECRET]}, ({"card": 7},)]},
            (5, None),
            {"parts": [{"card": MASK}, ({"card": MASK},)]},
        ),
        ((5, SECRET, "more"), {"currency": "EUR"}, (5, MASK, "more"), {"currency": "EUR"}),
    ],
)
def test_a_masked_name_hides_a_parameter_and_a_key_at_any_depth(args, kwargs, shown_args, shown_kwargs):
    masked_args = PAY.mask_arguments(args, kwargs)
    assert (masked_args.args, masked_args.kwargs, masked_args.names) == (shown_args, shown_kwargs, ["card"])


def test_what_an_earlier_task_passes_on_takes_the_first_place():
    assert PAY.mask_arguments((SECRET,), {}, ahead=1).args == (MASK,)
    assert PAY.mask_arguments((7, "EUR"), {}, ahead=2).args == (7, "EUR")


def test_the_names_of_args_and_kwargs_hide_what_these_take():
    rule = rule_of(take, mask={"cards", "secrets"})
    masked_args = rule.mask_arguments((5, SECRET, SECRET), {"plain": 1, "amount": 2, "pin": SECRET})
    assert (masked_args.args, masked_args.kwargs) == ((5, MASK, MASK), {"plain": 1, "amount": 2, "pin": MASK})


def test_an_argument_that_no_parameter_takes_is_hidden_where_anything_is():
    rule = rule_of(two, mask={"card"})
    masked_args = rule.mask_arguments((5, "x", SECRET), {})
    assert (masked_args.args, masked_args.names) == ((5, MASK, MASK), ["argument 3", "card"])


def test_an_object_that_can_not_be_looked_into_shows_its_class_only():
    class Order:
        def __repr__(self):
            return SECRET

    stored = stored_when_sent(
        PAY, masked_args := PAY.mask_arguments((Order(),), {}), masked_args.args_repr, masked_args.kwargs_repr
    )
    assert SECRET not in str(stored)
    assert "Order>" in stored.data["arguments_repr"]


def test_a_bound_task_and_a_class_based_one_begin_with_their_first_real_parameter():
    @tracked(mask={"card"})
    class ByClass(Task):
        name = "by_class"

        def run(self, amount, card): ...

    @app.task(bind=True)
    @tracked(mask={"card"})
    def bound(self, amount, card): ...

    for task in (bound, app.register_task(ByClass())):
        assert argument_rule(task).mask_arguments((5, SECRET), {}).args == (5, MASK)


@given(st.data())
def test_however_the_arguments_are_given_each_goes_by_the_name_python_gives_it(data):
    masked = data.draw(st.sets(st.sampled_from(["amount", "card", "extras", "currency", "details"]), min_size=1))
    args = data.draw(st.lists(st.text(min_size=8, max_size=9), min_size=1, max_size=4))
    names = ["currency", "tip", *(["card"] if len(args) < 2 else [])]
    kwargs = data.draw(st.dictionaries(st.sampled_from(names), st.text(min_size=8, max_size=9)))
    masked_args = rule_of(pay, mask=masked).mask_arguments(args, kwargs)
    bind = inspect.signature(pay).bind
    was, shown = bind(*args, **kwargs).arguments, bind(*masked_args.args, **masked_args.kwargs).arguments
    for name, value in was.items():
        hidden = {str: MASK, tuple: (MASK,) * len(value), dict: dict.fromkeys(value, MASK)}
        assert shown[name] == (hidden[type(value)] if name in masked else value)


def test_of_a_rule_that_keeps_nothing_nothing_is_stored():
    rule = ArgumentRule(keep="none")
    masked_args = rule.mask_arguments((SECRET,), {"a": 1})
    assert (masked_args.args, masked_args.kwargs, masked_args.names) == ((), {}, [ALL])
    assert SECRET not in str(stored_when_sent(rule, masked_args, repr(SECRET), "{}"))
    begun = stored_when_begun(rule, (SECRET,), {})
    assert set(begun.data.values()) == {""}


def test_where_nothing_is_masked_nothing_takes_the_place_of_what_is_stored():
    assert stored_when_begun(PAY, (5,), {"card": None}) == ({}, {})
    assert stored_when_begun(ArgumentRule(), (5,), {"card": SECRET}) == ({}, {})


def test_a_secret_is_found_in_texts_however_it_is_spelled():
    secret = 'it\'s "a" \\\\ long\noné \U0001f600'
    masked_args = PAY.mask_arguments((), {"card": {"number": 4111_1111, "code": secret, "short": "abc"}})
    for spelling in (
        secret,
        repr(secret),
        repr(repr(secret)),
        repr(f'"{secret}"'),
        ascii(secret),
        json.dumps(secret),
    ):
        assert mask_secrets(f"<{spelling}>", masked_args.secrets).strip("<>'\"\\") == MASK
    assert mask_secrets("abc 41111111", masked_args.secrets) == f"abc {MASK}"


@given(st.text(min_size=4), st.lists(st.sampled_from([repr, ascii, json.dumps, str]), max_size=3))
def test_any_secret_is_found_in_a_repr_of_a_repr(secret, spellings):
    text = secret
    for spell in spellings:
        text = spell(f"the card {text} is refused")
    assert MASK in mask_secrets(text, PAY.mask_arguments((), {"card": secret}).secrets)


def test_large_secrets_do_not_hold_up_what_is_said_of_other_things():
    rule = ArgumentRule(keep="none", positional=("text", "numbers"))
    masked_args = rule.mask_arguments(("some words of a letter. " * 100_000, list(range(10_000, 40_000))), {})
    began = time.process_time()
    assert mask_secrets("ValueError: no words of it", masked_args.secrets) == "ValueError: no words of it"
    assert mask_secrets("row 12345 is bad", masked_args.secrets) == f"row {MASK} is bad"
    assert time.process_time() - began < 4  # a pattern of all of it took seven seconds


class Inner(BaseModel):
    pin: SecretStr
    note: str


class Pin(RootModel[SecretStr]): ...


class Payload(BaseModel):
    inner: list[Inner]
    tokens: dict[str, SecretStr]
    hidden: str = Field("", json_schema_extra={"writeOnly": True})
    by_alias: SecretStr = Field(alias="byAlias")
    shown: str
    root: Pin | None = None


def test_what_is_secret_by_its_type_is_masked_without_a_word():
    rule = rule_of(rest, payload=Payload)
    assert rule.mask == ("byAlias", "hidden", "pin", "root", "tokens")


def test_so_it_is_in_a_signature_that_has_no_schema():
    def login(
        user: str, password: Annotated[SecretStr | None, "of theirs"], *more: int, session: object, **rest: Any
    ): ...

    assert rule_of(login, mask={"user"}).mask == ("password", "user")


def test_a_type_that_can_not_be_found_out_does_not_unmask_another_one():
    def draw(card: SecretStr, frame: "pandas.DataFrame", style: "as you like"): ...  # noqa: F722, F821

    assert rule_of(draw).mask == ("card",)


def test_a_task_whose_parameters_are_not_known_masks_what_is_given_by_position():
    class Compiled(Task):
        name = "compiled"
        run = {}.update

    rule = argument_rule(app.register_task(tracked(mask={"card"})(Compiled)()))
    assert rule.mask_arguments((SECRET,), {"card": SECRET, "amount": 5}).kwargs == {"card": MASK, "amount": 5}
    assert SECRET not in rule.mask_arguments((SECRET,), {}).args_repr


def test_a_mask_that_is_one_text_and_an_unknown_way_to_store_are_refused():
    with pytest.raises(TypeError, match=r"mask=\{'card'\}"):
        tracked(mask="card")
    with pytest.raises(ValueError, match="store_arguments"):
        tracked(store_arguments="all")


def test_of_arguments_that_are_nested_without_end_nothing_is_shown():
    endless = [SECRET]
    endless.append(endless)
    masked_args = ArgumentRule(mask=("card",), positional=("orders",)).mask_arguments((endless,), {})
    assert (masked_args.args, masked_args.names) == ((), [ALL])
