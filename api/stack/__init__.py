"""The local all-in-one stack: embedded servers and our services, supervised, under one folder."""
