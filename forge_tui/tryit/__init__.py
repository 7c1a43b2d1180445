"""What the screens that ask a finished model are made of, without a screen: forms, answers, memory."""
