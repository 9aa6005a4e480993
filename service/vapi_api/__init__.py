"""What we ask of Vapi's API: the calls that it has."""
