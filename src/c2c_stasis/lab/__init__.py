"""The laboratory: a real Asterisk and scripted phones, for the demo, the tests and rehearsals."""
