"""Single sign-on by OpenID Connect: providers, their tokens, and whom of their people livemon lets in, as what."""
