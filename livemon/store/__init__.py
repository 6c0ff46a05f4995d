"""What is kept in SQL: tables and their migrations."""
