"""The embedded server, the migrations, and the service's way to the database."""
