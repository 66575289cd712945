"""The command line: arguments in, a call of app, the answer on the screen."""
