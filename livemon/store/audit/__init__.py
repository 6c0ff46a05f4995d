"""The audit log: who did what to which call, when and from where; append-only, and it shows where it was tampered with."""
