"""The puppet: a portrait warped, with a mouth of its own behind the lips. Runs on any CPU."""
