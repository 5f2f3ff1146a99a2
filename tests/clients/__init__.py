"""Tests of the programs that talk to Pickly from outside."""
