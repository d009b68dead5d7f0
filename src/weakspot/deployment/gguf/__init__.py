"""Models and adapters written as GGUF files, which llama.cpp and Ollama read."""
