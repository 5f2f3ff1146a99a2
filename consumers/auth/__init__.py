"""Who people are: accounts, credentials, sessions."""
