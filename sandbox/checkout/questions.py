"""What the bank of a card asks its owner, before the card is charged."""

from dataclasses import dataclass

from sandbox.transactions.cards import Question


@dataclass(frozen=True, slots=True)
class Wording:
    title: str
    label: str
    wrong: str
    """What the bank says to a wrong answer, which ends the attempt."""


QUESTIONS: dict[Question, Wording] = {
    "pin": Wording("Enter your PIN", "PIN", "Incorrect PIN"),
    "phone": Wording("Enter your phone number", "Phone number", "Incorrect phone number"),
    "otp": Wording("Enter the code that was sent to you", "Code", "Incorrect code"),
    "bank": Wording("Your bank wants to know whether it is you", "", "Declined"),
}
