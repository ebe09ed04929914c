"""What payers complain of at their bank: sixteen hours to answer, and silence is consent."""
