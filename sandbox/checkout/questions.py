from dataclasses import dataclass

from sandbox.enums import CardQuestion


@dataclass(frozen=True, slots=True)
class QuestionTexts:
    title: str
    label: str
    wrong_answer: str
    """Response of the bank to a wrong answer, which ends the attempt."""


QUESTION_TEXTS: dict[CardQuestion, QuestionTexts] = {
    CardQuestion.PIN: QuestionTexts("Enter your card PIN", "PIN", "Incorrect PIN"),
    CardQuestion.PHONE: QuestionTexts("Enter your phone number", "Phone number", "Incorrect phone number"),
    CardQuestion.OTP: QuestionTexts("Enter the one-time code that your bank sent you", "Code", "Incorrect code"),
    CardQuestion.BANK: QuestionTexts("Confirm this payment with your bank", "", "Declined"),
}
