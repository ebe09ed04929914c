"""What a payer complains of at the bank: sixteen hours to answer, and silence is consent."""
