"""States of one model put into the other at the spans of a pair of words."""
