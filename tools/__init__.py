"""Programs that make the model bundles of the search: run by hand, never by the service. See README.md here."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as in crowdsight.models
