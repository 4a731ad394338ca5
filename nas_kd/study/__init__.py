"""The study: what is searched, how it is proposed, trained, stored and resumed."""
