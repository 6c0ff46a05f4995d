"""What is promised, as tests. A package of its own name, for some distributions bring one called `tests` along, too."""
