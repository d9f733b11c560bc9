"""The endpoints of the API families that order renders and keep what they are made of."""
