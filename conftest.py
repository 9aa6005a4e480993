# The servers and the SQL tests of the whole project.
pytest_plugins = ["service.tests.plugin"]
