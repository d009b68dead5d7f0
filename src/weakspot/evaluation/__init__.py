"""Evaluation of an adapter: scores on unseen examples, comparison with the base and with retrieval, and the verdict.

Read it in this order: ``scoring`` measures base and adapter on test examples; ``gate`` compares the two and gives the
verdict; ``retrieval_baseline`` compares both with retrieval; ``html_report`` renders the scorecard; ``replay`` asks
an adapter past escalations again, and ``judge`` decides whether its answers would have been good enough.
"""
