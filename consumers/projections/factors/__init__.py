"""Shows accounts' second factors to their owners."""
