from sandbox.errors import Refusal


class DisputeNotFound(Refusal):
    """Dispute not found"""

    status = 404
    code = "not_found"


class RefundAboveAmount(Refusal):
    """Refund amount cannot be greater than initial amount"""


class DisputeAnswered(Refusal):
    """This dispute no longer waits for the merchant"""

    code = "invalid_params"


class NothingToDispute(Refusal):
    """Only a paid transaction can be disputed, and for no more than was paid and not given back"""

    status = 409
    code = "nothing_to_dispute"


class AlreadyDisputed(Refusal):
    """This transaction has an open dispute"""

    status = 409
    code = "already_disputed"


class DisputeIsOver(Refusal):
    """This dispute is resolved: nothing can become of it any more"""

    status = 409
    code = "dispute_is_over"


class UploadRefused(Refusal):
    """The address of this upload is not one of ours, or has expired"""

    status = 403
