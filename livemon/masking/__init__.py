"""What a reader without the right `unmasked` gets in place of numbers, e-mail addresses and card numbers (docs/rights.md)."""
