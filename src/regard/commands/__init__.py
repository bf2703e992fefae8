"""The commands, each a module with `run(arguments) -> exit code`, imported when it is asked for."""
