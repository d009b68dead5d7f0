"""The local web pages: interactions to review, adapters with their scorecards, releases and savings.

Read it in this order: ``server`` has the routes, ``session_auth`` lets one browser in; ``pages`` renders the pages from
``templates/``; ``review`` finds interactions for them, ``record_view`` shows
all of one, ``word_diff`` compares two answers, ``charts`` and
``savings_chart`` draw.
"""
