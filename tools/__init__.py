"""Programs that make the model bundles of the search: run by hand, never by the service. See README.md here."""
