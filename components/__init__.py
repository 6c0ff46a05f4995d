"""One interface component a module, its JavaScript beside it. May import the core, never pages."""
