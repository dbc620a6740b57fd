"""Colours: what the numbers of a picture mean, and the way from them to sRGB."""
