"""The commands: thin, each builds a configuration and calls one function of the library."""
