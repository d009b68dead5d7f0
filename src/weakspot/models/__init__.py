"""What has to do with a language model: bases, training views, the engine, scoring, merging."""
