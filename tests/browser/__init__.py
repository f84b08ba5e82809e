"""The pages in a real Chromium: what people do, and what is in the database after it.

conftest.py opens browsers in which somebody is logged in; labeler.py is a person at the labeling
page. No test waits for time to pass: each waits for what the page says of itself."""
