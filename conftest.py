# The servers, the SQL tests and the browser of the whole project.
pytest_plugins = ["service.tests.plugin", "service.tests.browsers"]
