"""Campaigns: lists of people whom an agent calls, one after the other, within a window and with a few tries each."""
