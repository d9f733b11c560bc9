"""Turn-taking as a pure state machine: events in, actions out, time as an argument."""
