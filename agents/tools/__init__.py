"""Things an agent can do besides talking: built-in tools and HTTP tools declared in the agent's YAML."""
