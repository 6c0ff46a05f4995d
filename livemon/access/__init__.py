"""Who may enter: sessions, roles, and the guard over every route and socket."""
