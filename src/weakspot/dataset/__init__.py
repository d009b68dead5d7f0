"""The dataset: examples, their domains and splits, near-duplicates, and the quality of answers.

Reading order: ``domains`` labels an example, by words in all their ``inflections``; ``near_duplicates`` finds similar
ones, ``splits`` puts them into groups and groups into train, val and test, ``assignments`` reads where they went;
``reading`` reads the processed files, ``contents`` reads all of them for the checks; ``answer_quality`` finds useless
answers, ``bm25`` ranks similar texts.
"""
