"""Webhooks: who hears what of jobs, signed, tried again, logged."""
