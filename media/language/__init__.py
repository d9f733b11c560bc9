"""Small language models in this process: the embedded chat model, sentence embeddings, the completion judge."""
