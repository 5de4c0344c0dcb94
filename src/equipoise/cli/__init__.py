"""What people type: each command parses, calls one function, prints, exits.

Nothing heavy is imported at the top of these modules (no torch, pandas, scikit-learn, matplotlib, pydantic): help, and
complaints about a misspelt option, come at once.
"""
