"""What a button of the checkout page attempts with a test card."""

from sandbox.checkout.forms import CheckoutForm
from sandbox.checkout.questions import QUESTION_TEXTS
from sandbox.enums import CardName, ChargeOutcome, CheckoutAction
from sandbox.transactions.cards import CARDS
from sandbox.transactions.charges import PaymentAttempt


def chosen_card(form: CheckoutForm) -> CardName:
    """Return the card of the form. The button `decline` stands for a card that is declined."""
    return CardName.DECLINED if form.action == CheckoutAction.DECLINE else form.card


def card_attempt(form: CheckoutForm, ip_address: str | None) -> PaymentAttempt:
    """Return the attempt to pay that the pressed button requests."""
    card = CARDS[chosen_card(form)]
    if form.action == CheckoutAction.CANCEL:
        return PaymentAttempt(ChargeOutcome.ABANDONED)
    remaining = card.questions
    if form.action == CheckoutAction.ANSWER:
        answered = card.questions[form.question_index : form.question_index + 1]
        remaining = card.questions[form.question_index + 1 :]
        for question, expected_answer in answered:
            if expected_answer and form.answer.strip() != expected_answer:
                message = QUESTION_TEXTS[question].wrong_answer
                return PaymentAttempt(ChargeOutcome.FAILED, card, ip_address, gateway_response=message)
    if remaining:
        return PaymentAttempt(ChargeOutcome.ONGOING, card, ip_address)
    return PaymentAttempt(ChargeOutcome.FAILED if card.decline_message else ChargeOutcome.SUCCESS, card, ip_address)
